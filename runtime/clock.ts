import { performance } from 'node:perf_hooks';
import type { Clock } from '../core/types.js';

/** Monotonic; agrees with the time of day at the process's start, so that its times can be read. */
export const systemClock: Clock = { nowMs: () => performance.timeOrigin + performance.now() };

/** Time that moves only when told to: offline runs, whose result must not depend on the machine. */
export class VirtualClock implements Clock {
  #nowMs = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  /** Never moves backwards. */
  advanceTo(ms: number): void {
    if (ms > this.#nowMs) this.#nowMs = ms;
  }
}
