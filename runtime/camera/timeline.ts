import type { Clock } from '../../core/types.js';

/** Time the cameras get to open their files before the first frame is due. */
const LEAD_MS = 300;

/**
 * Relates the times inside files to the runtime's clock for paced replay. All cameras of a runtime
 * share one, so that frames keep their relation across files. The first file time asked for falls
 * on now.
 */
export class Timeline {
  readonly #clock: Clock;
  #offsetMs: number | undefined;
  #spanMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What to add to a file's times; fixed by the first call. */
  offsetMs(firstFileMs: number): number {
    this.#offsetMs ??= this.#clock.nowMs() + LEAD_MS - firstFileMs;
    return this.#offsetMs;
  }

  /** Length of one round of a looped replay: all files take the first one's. */
  spanMs(ownSpanMs: number): number {
    this.#spanMs ??= ownSpanMs;
    return this.#spanMs;
  }
}

/** Resolves at `ms` on the clock, or at once when aborted. */
export async function sleepUntil(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const waitMs = ms - clock.nowMs();
    if (waitMs <= 0) return;
    await sleep(Math.min(waitMs, 60_000), signal);
  }
}

/** Resolves after `ms`, or at once when aborted; leaves no timer behind. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
