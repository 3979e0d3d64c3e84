import { LowerEnvelope } from './envelope.js';
import { OffsetFilter } from './offset-filter.js';

/** Real oscillators differ by less; steeper envelopes are congestion. */
const STEEPEST = 500e-6;
/** Points this far below the envelope, or stamps this far back, are a clock that was set. */
const STEP_MS = 250;
/** Frames in a row that must agree before the clock counts as set. */
const CONFIRMATIONS = 6;
/** Stamps in a row that lie behind an earlier one: more than the network swaps. */
const BACKWARD_CONFIRMATIONS = 3;
/** How much those frames' delays may differ. */
const AGREEMENT_MS = 400;
/** Standard deviation of the offset that the first points give. */
const FIRST_DEVIATION_MS = 20;
/** An interval this far from a whole number of periods may hide a small step. */
const IRREGULAR_MS = 8;
const SMALL_STEP_FRAMES = 20;

export type Observation =
  /** The stamp fits the clock. */
  | 'fits'
  /** The stamp contradicts the clock; held off until others agree with it or do not. */
  | 'doubtful'
  /** This frame's stamp confirmed that the clock was set; the mapping has changed. */
  | 'step';

/**
 * Maps one camera's clock to the runtime's. Each frame shows arrival − stamp = offset + delay, and
 * delay is never less than the least: the lower envelope is the offset. Only its own irregular
 * stamps make a clock count as set; frames that merely arrive later and later do not move it by more
 * than crystals can drift.
 */
export class CameraClock {
  readonly #leastDelayMs: number;
  readonly #envelope = new LowerEnvelope();
  #filter: OffsetFilter | undefined;
  #stampBase = 0;
  #gapBase = 0;
  #lastX = 0;
  #doubtful: { x: number; y: number }[] = [];
  #watch: { readonly odd: number; frames: number; least: number } | undefined;
  /** Counts changes of the mapping. */
  version = 0;
  /** Times the clock was found set. */
  steps = 0;

  constructor(leastDelayMs: number) {
    this.#leastDelayMs = leastDelayMs;
  }

  /** Camera's clock minus runtime's clock. */
  get offsetMs(): number {
    const offset = this.#filter?.offsetAt(this.#lastX) ?? 0;
    return this.#leastDelayMs - this.#gapBase - offset;
  }

  /** How fast {@link offsetMs} grows. */
  get driftPpm(): number {
    return -(this.#filter?.drift ?? 0) * 1e6;
  }

  /**
   * Half width of the 95 % interval of a mapped time. The least delay is assumed, not measured: it
   * is counted in full.
   */
  uncertaintyMs(stampMs: number): number {
    const deviation = this.#filter?.deviationAt(stampMs - this.#stampBase) ?? FIRST_DEVIATION_MS;
    return this.#leastDelayMs + 1.96 * deviation;
  }

  /** Capture time on the runtime's clock. */
  map(stampMs: number): number {
    const offset = this.#filter?.offsetAt(stampMs - this.#stampBase) ?? 0;
    return stampMs + this.#gapBase + offset - this.#leastDelayMs;
  }

  /**
   * @param periodMs the camera's usual interval, 0 where it is not known yet.
   */
  observe(stampMs: number, arrivedAtMs: number, periodMs: number): Observation {
    if (this.#filter === undefined) {
      this.#stampBase = stampMs;
      this.#gapBase = arrivedAtMs - stampMs;
      this.#filter = new OffsetFilter(0, 0, FIRST_DEVIATION_MS);
      this.#envelope.push(0, 0, 0);
      this.version++;
      return 'fits';
    }
    const x = stampMs - this.#stampBase;
    const y = arrivedAtMs - stampMs - this.#gapBase;
    const excess = y - this.#filter.offsetAt(x);
    if (excess < -STEP_MS) return this.#doubt(x, y, CONFIRMATIONS);
    if (x < this.#lastX) {
      const far = x < this.#lastX - Math.max(STEP_MS, 3 * periodMs);
      return this.#doubt(x, y, far ? CONFIRMATIONS : BACKWARD_CONFIRMATIONS);
    }
    this.#doubtful = [];
    if (x === this.#lastX) return 'fits';
    const small = this.#watchSmallStep(x, y, excess, periodMs);
    this.#lastX = x;
    if (small) return 'step';
    this.#learn(x, y, excess);
    return 'fits';
  }

  #learn(x: number, y: number, excess: number): void {
    const filter = this.#filter!;
    if (excess < 0) {
      filter.lower(x, y);
      this.version++;
    }
    if (!this.#envelope.push(x, y, filter.drift)) return;
    const line = this.#envelope.fit(STEEPEST);
    if (line === undefined) return;
    filter.update(line);
    this.version++;
  }

  #doubt(x: number, y: number, confirmations: number): Observation {
    const before = this.#doubtful.at(-1);
    const agrees = before !== undefined && x > before.x && Math.abs(y - before.y) < AGREEMENT_MS;
    if (!agrees) this.#doubtful = [];
    this.#doubtful.push({ x, y });
    if (this.#doubtful.length < confirmations) return 'doubtful';
    const points = this.#doubtful;
    this.#doubtful = [];
    this.#restart(points);
    return 'step';
  }

  /**
   * A step back by less than an interval shows as one odd interval and, in all frames after it, a
   * floor that is higher by as much.
   */
  #watchSmallStep(x: number, y: number, excess: number, periodMs: number): boolean {
    if (periodMs > 0 && this.#watch === undefined) {
      const interval = x - this.#lastX;
      const odd = Math.max(1, Math.round(interval / periodMs)) * periodMs - interval;
      if (odd > Math.max(IRREGULAR_MS, periodMs / 4))
        this.#watch = { odd, frames: 0, least: Infinity };
    }
    const watch = this.#watch;
    if (watch === undefined) return false;
    watch.frames++;
    watch.least = Math.min(watch.least, excess);
    const done = watch.frames >= SMALL_STEP_FRAMES;
    if (done || watch.least < watch.odd / 2) this.#watch = undefined;
    if (!done || Math.abs(watch.least - watch.odd) > watch.odd / 2) return false;
    this.#restart([{ x, y: y - excess + watch.least }]);
    return true;
  }

  #restart(points: readonly { x: number; y: number }[]): void {
    const filter = this.#filter!;
    this.#envelope.clear();
    let least = points[0]!;
    for (const point of points) {
      this.#envelope.push(point.x, point.y, filter.drift);
      if (point.y < least.y) least = point;
    }
    filter.restart(least.x, least.y, FIRST_DEVIATION_MS / 2);
    this.#lastX = points.at(-1)!.x;
    this.version++;
    this.steps++;
  }
}
