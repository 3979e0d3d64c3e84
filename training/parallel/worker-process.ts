import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ClmexError } from '../../core/errors.js';
import { encodeFrame, FrameReader } from './frames.js';
import type { DifferentiatorOptions } from './differentiator.js';
import type { FromWorker, ToWorker } from './messages.js';

// The worker lies where the package is built, beside the folder of chunks.
const WORKER = new URL('../training-worker.js', import.meta.url);
const CLOSE_PATIENCE_MS = 5_000;
const LAST_WORDS = 500;

/** One worker of a training; it ends with its owner, whatever ends the owner. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #arrived: FromWorker[] = [];
  #waiting: { resolve: (message: FromWorker) => void; reject: (error: ClmexError) => void } | undefined; // prettier-ignore
  #failure: ClmexError | undefined;
  #lastWords = '';

  constructor(script: URL) {
    // Flags of the program that embeds us, such as --input-type, are not the worker's.
    this.#child = spawn(process.execPath, [fileURLToPath(script)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const frames = new FrameReader();
    this.#child.stdout!.on('data', (piece: Buffer) => {
      for (const message of frames.push(piece)) this.#take(message as FromWorker);
    });
    this.#child.stderr!.on('data', (piece: Buffer) => {
      this.#lastWords = (this.#lastWords + piece.toString()).slice(-LAST_WORDS);
    });
    // A write to a process that has ended; `close` says why.
    this.#child.stdin!.on('error', () => undefined);
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (cause) => this.#fail(cause.message, cause)).once('error', resolve);
      this.#child.once('close', (code, signal) => {
        this.#fail(signal === null ? `exit code ${code}` : signal);
        resolve();
      });
    }); // prettier-ignore
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: ToWorker): void {
    if (this.#failure === undefined) this.#child.stdin!.write(encodeFrame(message));
  }

  /**
   * The next message, which must be of that kind.
   * @throws ClmexError `engine-failed` where the worker failed or has ended.
   */
  async receive<Kind extends FromWorker['kind']>(
    ...kinds: Kind[]
  ): Promise<Extract<FromWorker, { kind: Kind }>> {
    const message = this.#arrived.shift() ?? (await this.#next());
    if ((kinds as readonly string[]).includes(message.kind)) {
      return message as Extract<FromWorker, { kind: Kind }>;
    }
    throw new ClmexError('engine-failed', 'a training worker failed', {
      value: message.kind === 'failed' ? message.message : message.kind,
    });
  }

  async close(): Promise<void> {
    this.#child.stdin!.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_PATIENCE_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #next(): Promise<FromWorker> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  #take(message: FromWorker): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting.resolve(message);
    else this.#arrived.push(message);
  }

  #fail(how: string, cause?: unknown): void {
    this.#failure ??= new ClmexError('engine-failed', 'a training worker has ended', {
      value: [how, this.#lastWords.trim()].filter(Boolean).join(': '),
      cause,
    });
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }
}

/**
 * Workers that know what is learned and say that they are ready.
 * @throws ClmexError `engine-failed` where one is not; then none is left.
 */
export async function startWorkers(
  { recipe, frame, labels, predicted, script = WORKER }: DifferentiatorOptions,
  count: number,
): Promise<readonly WorkerProcess[]> {
  const workers = Array.from({ length: count }, () => new WorkerProcess(script));
  try {
    for (const worker of workers) worker.send({ kind: 'start', recipe, frame, labels, predicted });
    await Promise.all(workers.map((worker) => worker.receive('ready')));
    return workers;
  } catch (error) {
    await closeWorkers(workers);
    throw error;
  }
}

export async function closeWorkers(workers: readonly WorkerProcess[]): Promise<void> {
  await Promise.all(workers.map((worker) => worker.close()));
}
