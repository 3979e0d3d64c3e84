import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { ClmexError } from '../../core/errors.js';

/** A child that does not end when asked is killed after this. */
const KILL_AFTER_MS = 1500;
const ERROR_TAIL = 6000;

const alive = new Set<ChildProcess>();
let armed = false;

/** Children must not outlive us when the process ends without closing its cameras. */
function endWithProcess(child: ChildProcess): void {
  if (!armed) {
    armed = true;
    process.on('exit', () => {
      for (const child of alive) child.kill('SIGKILL');
    });
  }
  alive.add(child);
  child.once('close', () => alive.delete(child));
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child process that ends with its signal, and whose last words are kept. */
export class Child {
  readonly process: ChildProcess;
  /** Resolves when the process has ended and its pipes are closed. */
  readonly ended: Promise<Ending>;
  #errors = '';
  #spawnError: NodeJS.ErrnoException | undefined;

  constructor(command: string, args: readonly string[], stdio: StdioOptions, signal: AbortSignal) {
    const child = spawn(command, args, { stdio });
    this.process = child;
    endWithProcess(child);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-ERROR_TAIL);
    });
    const stop = (): void => void this.stop();
    this.ended = new Promise((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        this.#spawnError = error;
        if (child.pid === undefined) {
          alive.delete(child);
          resolve({ code: null, signal: null });
        }
      });
      child.once('close', (code, by) => resolve({ code, signal: by }));
    });
    void this.ended.then(() => signal.removeEventListener('abort', stop));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  }

  /** Last lines of the child's stderr. */
  get errors(): string {
    return this.#errors.trim();
  }

  /** Asks the child to end, kills it when it does not, and waits until it is gone. */
  async stop(): Promise<void> {
    const child = this.process;
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
      void this.ended.then(() => clearTimeout(timer));
    }
    for (const stream of child.stdio) stream?.destroy();
    await this.ended;
  }

  /** The error of an ending that was not asked for; undefined where all went well. */
  failure(what: string, { code, signal }: Ending): ClmexError | undefined {
    if (this.#spawnError?.code === 'ENOENT') {
      return new ClmexError('not-found', `${this.process.spawnfile} is not installed`, {
        allowed: `${this.process.spawnfile} on the PATH`,
        cause: this.#spawnError,
      });
    }
    if (code === 0) return undefined;
    const words = this.errors.split('\n').slice(-4).map(untagged).join(' | ');
    // What a child said before somebody killed it is not why it ended.
    const why = signal === null ? words || `ended by code ${code}` : `ended by ${signal}`;
    return new ClmexError('source-failed', `${what}: ${why}`, { cause: this.#spawnError });
  }
}

/** Without the component, its address and the level, which FFmpeg puts before what it says. */
const untagged = (line: string): string => line.replace(/^(\[[^\]]*\] *)+/, '');
