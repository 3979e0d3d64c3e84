import { SHARE_ENV, Worker } from 'node:worker_threads';
import { ClmexError, type ErrorCode } from '../../core/errors.js';
import type { Face } from '../../core/types.js';
import type { EncoderView } from '../embed/embed.js';
import type {
  FaceSeed,
  FramePixels,
  Inference,
  InferenceInfo,
  InferenceOptions,
} from './inference.js';

export type Request =
  | {
      readonly id: number;
      readonly kind: 'faces';
      readonly frames: readonly FramePixels[];
      readonly seeds: readonly FaceSeed[];
    }
  | { readonly id: number; readonly kind: 'embed'; readonly views: readonly EncoderView[] }
  | { readonly id: number; readonly kind: 'prepare'; readonly model: string }
  | { readonly id: number; readonly kind: 'adopt' | 'close' };

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

export type Reply =
  | { readonly id: number; readonly result: unknown; readonly info: InferenceInfo }
  | { readonly id: number; readonly failure: Failure };

/** The worker says this once, with id 0, when its models are loaded and warm. */
export const READY = 0;
const CLOSE_PATIENCE_MS = 5_000;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: ClmexError) => void;
}

/** {@link Inference} in a worker thread, so that the event loop stays free for frames and clients. */
export class InferenceThread implements Inference {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #next = READY + 1;
  #dead: ClmexError | undefined;
  #info: InferenceInfo = { engine: '', model: '', cropSize: 0 };

  private constructor(script: URL, options: InferenceOptions) {
    this.#worker = new Worker(script, {
      workerData: options,
      // Flags of the program that embeds us, such as --input-type, are not the worker's.
      execArgv: [],
      // Native libraries read the environment of the process.
      env: SHARE_ENV,
    });
    this.#worker.on('message', (reply: Reply) => this.#settle(reply));
    this.#worker.on('error', (cause) => this.#fail('the inference thread broke', cause));
    this.#worker.on('exit', () => this.#fail('the inference thread has ended'));
  }

  /** @throws ClmexError whatever loading the models throws: `model-invalid`, `engine-failed`, … */
  static async start(script: URL, options: InferenceOptions): Promise<InferenceThread> {
    const thread = new InferenceThread(script, options);
    try {
      await thread.#answer(READY);
    } catch (error) {
      await thread.#worker.terminate();
      throw error;
    }
    return thread;
  }

  get info(): InferenceInfo {
    return this.#info;
  }

  faces(frames: readonly FramePixels[], seeds: readonly FaceSeed[]): Promise<Face[]> {
    const pixels = frames.map(({ cameraId, capturedAtMs, width, height, pixels }) => ({
      cameraId, capturedAtMs, width, height, pixels,
    })); // prettier-ignore
    return this.#ask({ id: this.#next++, kind: 'faces', frames: pixels, seeds }) as Promise<Face[]>;
  }

  embed(views: readonly EncoderView[]): Promise<Float32Array[]> {
    return this.#ask({ id: this.#next++, kind: 'embed', views }) as Promise<Float32Array[]>;
  }

  async prepare(model: string): Promise<void> {
    await this.#ask({ id: this.#next++, kind: 'prepare', model });
  }

  async adopt(): Promise<void> {
    await this.#ask({ id: this.#next++, kind: 'adopt' });
  }

  async close(): Promise<void> {
    if (this.#dead === undefined) {
      const timer = setTimeout(() => void this.#worker.terminate(), CLOSE_PATIENCE_MS);
      await this.#ask({ id: this.#next++, kind: 'close' }).catch(() => undefined);
      clearTimeout(timer);
    }
    await this.#worker.terminate();
  }

  #ask(request: Request): Promise<unknown> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    this.#worker.postMessage(request);
    return this.#answer(request.id);
  }

  #answer(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('failure' in reply) {
      waiting?.reject(new ClmexError(reply.failure.code, reply.failure.message));
    } else {
      this.#info = reply.info;
      waiting?.resolve(reply.result);
    }
  }

  #fail(message: string, cause?: unknown): void {
    this.#dead ??= new ClmexError('engine-failed', message, { cause });
    for (const { reject } of this.#waiting.values()) reject(this.#dead);
    this.#waiting.clear();
  }
}
