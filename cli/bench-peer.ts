import { fork, type ChildProcess } from 'node:child_process';
import { ClmexError } from '../core/errors.js';

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/**
 * Another library in a child process, so that neither side's globals, memory or threads touch the
 * other's. Closes with this process.
 */
export class BenchPeer {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #next = 1;

  private constructor(script: string, args: readonly string[]) {
    this.#child = fork(script, [...args], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#child.on('message', (answer: Answer) => this.#settle(answer));
    this.#child.on('exit', () => {
      for (const id of [...this.#waiting.keys()]) this.#settle({ id, error: 'the peer has ended' });
    });
  }

  /** @throws ClmexError `unsupported` where the peer does not start: usually it is not installed. */
  static async start(script: string, args: readonly string[] = []): Promise<BenchPeer> {
    const peer = new BenchPeer(script, args);
    try {
      await peer.#answer(0);
      return peer;
    } catch (cause) {
      peer.close();
      throw new ClmexError('unsupported', 'a peer does not start', {
        field: 'peers',
        value: script,
        allowed: 'after npm install --prefix test/bench/peers',
        cause,
      });
    }
  }

  ask(message: object): Promise<unknown> {
    const id = this.#next++;
    this.#child.send({ ...message, id });
    return this.#answer(id);
  }

  close(): void {
    if (this.#child.connected) this.#child.disconnect();
    this.#child.kill();
  }

  async #answer(id: number): Promise<unknown> {
    const { result, error } = await new Promise<Answer>((resolve) => this.#waiting.set(id, resolve)); // prettier-ignore
    if (error !== undefined) throw new ClmexError('engine-failed', error);
    return result;
  }

  #settle(answer: Answer): void {
    this.#waiting.get(answer.id)?.(answer);
    this.#waiting.delete(answer.id);
  }
}
