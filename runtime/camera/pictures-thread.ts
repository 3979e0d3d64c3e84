import { Worker } from 'node:worker_threads';
import { ClmexError, type ErrorCode } from '../../core/errors.js';
import type { PicturesOf, RecordedPictures } from './recorded-pictures.js';

/** `reader` numbers the cameras' readings, `id` the questions. */
export type PicturesRequest = { readonly id: number; readonly reader: number } & (
  | { readonly kind: 'open'; readonly of: PicturesOf }
  | { readonly kind: 'decode'; readonly pixels: Uint8Array }
  | { readonly kind: 'next' | 'close' }
);

export interface PicturesReply {
  readonly id: number;
  readonly result?: unknown;
  readonly failure?: { readonly code: ErrorCode; readonly message: string };
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: ClmexError) => void;
}

type Question = PicturesRequest extends infer R
  ? R extends unknown
    ? Omit<R, 'id'>
    : never
  : never;

/**
 * Reads and decodes recordings in a thread: pixels are written to shared memory there, and the event
 * loop stays free. One for all cameras of a runtime, started by the first.
 */
export class PicturesThread {
  readonly #script: URL;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #questions = 0;
  #readers = 0;

  constructor(script: URL) {
    this.#script = script;
  }

  async open(of: PicturesOf): Promise<RecordedPictures> {
    const reader = this.#readers++;
    await this.#ask({ reader, kind: 'open', of });
    return {
      next: () => this.#ask({ reader, kind: 'next' }) as ReturnType<RecordedPictures['next']>,
      decode: async (pixels) => {
        await this.#ask({ reader, kind: 'decode', pixels });
      },
      close: async () => {
        await this.#ask({ reader, kind: 'close' });
      },
    };
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #ask(question: Question): Promise<unknown> {
    this.#worker ??= this.#start();
    const id = this.#questions++;
    this.#worker.postMessage({ ...question, id });
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #start(): Worker {
    const worker = new Worker(this.#script, { execArgv: [] });
    worker.on('message', ({ id, result, failure }: PicturesReply) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (failure === undefined) waiting?.resolve(result);
      else waiting?.reject(new ClmexError(failure.code, failure.message));
    });
    worker.on('error', (cause) => this.#fail(cause));
    worker.on('exit', () => this.#fail());
    return worker;
  }

  #fail(cause?: unknown): void {
    const error = new ClmexError('source-failed', 'the thread that decodes recordings has ended', { cause }); // prettier-ignore
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#worker = undefined;
  }
}
