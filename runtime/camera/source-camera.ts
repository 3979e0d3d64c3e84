import type { DropReason, RawFrame } from '../../core/types.js';
import type { Camera, CameraContext, CameraState, CameraStatus, FrameSource } from './camera.js';
import { LiveQueue } from './live-queue.js';
import { FramePool } from './pool.js';
import { sleep } from './timeline.js';

const LIVE_QUEUE_FRAMES = 4;
const BACKOFF_FIRST_MS = 250;
const BACKOFF_MOST_MS = 8000;

/** Runs a source, keeps its status, and runs a live source again when it breaks or falls silent. */
export class SourceCamera implements Camera {
  readonly id: string;
  readonly #source: FrameSource;
  readonly #context: CameraContext;
  readonly #pool = new FramePool();
  readonly #closed = new AbortController();
  readonly #drops: Partial<Record<DropReason, number>> = {};
  #state: CameraState = 'connecting';
  #detail: string | undefined;
  #frames = 0;
  #sequence = 0;
  #reconnects = 0;
  #width = 0;
  #height = 0;
  #reading: AsyncGenerator<RawFrame, void, void> | undefined;

  constructor(id: string, source: FrameSource, context: CameraContext) {
    this.id = id;
    this.#source = source;
    this.#context = context;
  }

  frames(): AsyncGenerator<RawFrame, void, void> {
    this.#reading ??= this.#source.silenceMs === undefined ? this.#file() : this.#live();
    return this.#reading;
  }

  status(): CameraStatus {
    return {
      cameraId: this.id,
      state: this.#state,
      detail: this.#detail,
      frames: this.#frames,
      drops: { ...this.#drops },
      reconnects: this.#reconnects,
      width: this.#width,
      height: this.#height,
    };
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#reading?.return();
    this.#become('closed', this.#detail);
  }

  async *#file(): AsyncGenerator<RawFrame, void, void> {
    this.#become('connecting');
    try {
      for await (const frame of this.#source.run(this.#life(this.#closed.signal))) {
        this.#saw(frame);
        yield frame;
      }
      this.#become('ended', this.#detail);
    } catch (error) {
      this.#become('failed', (error as Error).message);
      throw error;
    }
  }

  async *#live(): AsyncGenerator<RawFrame, void, void> {
    const queue = new LiveQueue(LIVE_QUEUE_FRAMES, () => this.#drop('backpressure'));
    this.#become('connecting');
    const stop = (): void => queue.end();
    this.#closed.signal.addEventListener('abort', stop);
    const pump = this.#pump(queue);
    try {
      for (;;) {
        const frame = await queue.next();
        if (frame === undefined) return;
        yield frame;
      }
    } finally {
      this.#closed.abort();
      await pump;
    }
  }

  async #pump(queue: LiveQueue): Promise<void> {
    const { signal } = this.#closed;
    let backoffMs = BACKOFF_FIRST_MS;
    for (;;) {
      const before = this.#frames;
      const detail = await this.#runOnce(queue);
      if (signal.aborted) return;
      // A run that gave frames was sound: the next try comes soon again.
      if (this.#frames > before) backoffMs = BACKOFF_FIRST_MS;
      this.#reconnects++;
      this.#become('reconnecting', detail);
      await sleep(backoffMs, signal);
      backoffMs = Math.min(BACKOFF_MOST_MS, backoffMs * 2);
    }
  }

  /** One run of a live source until it ends, breaks or falls silent; says why. */
  async #runOnce(queue: LiveQueue): Promise<string> {
    const run = new AbortController();
    const silenceMs = this.#source.silenceMs!;
    let silent = false;
    const doubt = setTimeout(() => this.#become('silent', this.#detail), silenceMs / 2);
    const watchdog = setTimeout(() => {
      silent = true;
      run.abort();
    }, silenceMs);
    const why = (otherwise: string): string =>
      silent ? `no frame for ${silenceMs} ms` : otherwise;
    try {
      const signal = AbortSignal.any([this.#closed.signal, run.signal]);
      for await (const frame of this.#source.run(this.#life(signal))) {
        watchdog.refresh();
        doubt.refresh();
        this.#saw(frame);
        queue.push(frame);
      }
      return why('the stream ended');
    } catch (error) {
      return why((error as Error).message);
    } finally {
      clearTimeout(watchdog);
      clearTimeout(doubt);
    }
  }

  #life(signal: AbortSignal) {
    return {
      signal,
      pool: this.#pool,
      drop: (reason: DropReason) => {
        this.#frames++;
        this.#drop(reason);
      },
      note: (detail: string) => (this.#detail = detail),
      nextSequence: () => this.#sequence++,
    };
  }

  #saw(frame: RawFrame): void {
    this.#frames++;
    this.#width = frame.width;
    this.#height = frame.height;
    if (this.#state !== 'live') this.#become('live');
  }

  #drop(reason: DropReason): void {
    this.#drops[reason] = (this.#drops[reason] ?? 0) + 1;
  }

  #become(state: CameraState, detail?: string): void {
    this.#state = state;
    this.#detail = detail;
    this.#context.onStatus?.(this.status());
  }
}
