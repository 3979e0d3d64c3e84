import type { Clock, FrameSet } from '../core/types.js';
import type { Camera } from './camera/index.js';
import type { Pipeline } from './pipeline.js';

/** What is done with a frame set; it closes the set. */
export type SetHandler = (set: FrameSet) => Promise<void>;

export interface LiveEvents {
  /** A frame came out of this camera. */
  frame(cameraId: string): void;
  /** A waiting set gave way to a newer one. */
  skipped(set: FrameSet): void;
}

/** Longest time between two looks at the frame sets' deadlines. */
const LONGEST_NAP_MS = 250;

/** While one set is embedded the faces of the next two are looked for. */
const MOST_UNDER_WAY = 3;

/** Sets that may wait: frame sets held back for a late camera leave together, and are worth scoring. */
const MOST_WAITING = 2;

/**
 * Drives a pipeline in real time. A few sets are under way and a few may wait; when they become too many
 * all but the newest give way at once, so that a machine that fell behind catches up instead of
 * staying late.
 */
export class Live {
  readonly #pipeline: Pipeline;
  readonly #cameras: readonly Camera[];
  readonly #clock: Clock;
  readonly #handle: SetHandler;
  readonly #events: LiveEvents;
  #waiting: FrameSet[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #failure: Error | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ending = false;

  constructor(
    pipeline: Pipeline,
    cameras: readonly Camera[],
    clock: Clock,
    handle: SetHandler,
    events: LiveEvents,
  ) {
    this.#pipeline = pipeline;
    this.#cameras = cameras;
    this.#clock = clock;
    this.#handle = handle;
    this.#events = events;
  }

  /** As many sets wait as may: the next one would make all of them give way. */
  get crowded(): boolean {
    return this.#waiting.length >= MOST_WAITING;
  }

  /**
   * Resolves when every camera has ended and the last set is done; rejects where a set failed, or
   * every camera did. Cameras end when they are closed.
   */
  async run(): Promise<void> {
    this.#nap();
    try {
      const failures = await Promise.all(this.#cameras.map((camera) => this.#drain(camera)));
      if (failures.every((failure) => failure !== undefined)) this.#failure ??= failures[0];
      this.#offer(this.#pipeline.sync.close());
      await this.#idle();
    } finally {
      clearTimeout(this.#timer);
      this.#ending = true;
      for (const set of this.#waiting) set.close();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** A camera that fails is gone for good and says why in its status; the others go on. */
  async #drain(camera: Camera): Promise<Error | undefined> {
    try {
      for await (const frame of camera.frames()) {
        this.#events.frame(camera.id);
        this.#offer(this.#pipeline.push(frame));
        if (this.#failure !== undefined) break;
      }
      return undefined;
    } catch (error) {
      return asError(error);
    } finally {
      this.#offer(this.#pipeline.sync.cameraEnded(camera.id));
    }
  }

  #nap(): void {
    const due = this.#pipeline.sync.nextDeadlineMs - this.#clock.nowMs();
    this.#timer = setTimeout(
      () => {
        this.#excuseLostCameras();
        this.#offer(this.#pipeline.sync.poll(this.#clock.nowMs()));
        if (!this.#ending) this.#nap();
      },
      Math.min(LONGEST_NAP_MS, Math.max(1, due)),
    );
  }

  /** Nobody waits for a camera that is being connected again. */
  #excuseLostCameras(): void {
    for (const camera of this.#cameras) {
      if (camera.status().state === 'reconnecting')
        this.#offer(this.#pipeline.sync.cameraDisconnected(camera.id));
    }
  }

  #offer(sets: readonly FrameSet[]): void {
    for (const set of sets) {
      if (this.#failure !== undefined) {
        set.close();
        continue;
      }
      this.#waiting.push(set);
      if (this.#waiting.length > MOST_WAITING) {
        for (const skipped of this.#waiting.splice(0, MOST_WAITING)) {
          this.#events.skipped(skipped);
          skipped.close();
        }
      }
    }
    this.#advance();
  }

  #advance(): void {
    while (this.#underWay.size < MOST_UNDER_WAY && this.#failure === undefined) {
      const set = this.#waiting.shift();
      if (set === undefined) return;
      const work = this.#work(set).finally(() => {
        this.#underWay.delete(work);
        this.#advance();
      });
      this.#underWay.add(work);
    }
  }

  async #work(set: FrameSet): Promise<void> {
    try {
      await this.#handle(set);
    } catch (error) {
      this.#failure = asError(error);
      for (const camera of this.#cameras) void camera.close();
    }
  }

  async #idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }
}

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));
