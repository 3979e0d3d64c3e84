import { LowerEnvelope } from './envelope.js';
import { OffsetFilter } from './offset-filter.js';
import type { Rhythm } from './rhythm.js';
import { wrap } from './ticker.js';

/** Real oscillators differ by less; steeper envelopes are congestion. */
const STEEPEST = 500e-6;
/** A frame cannot come so long, and so many deviations of the offset, before the fastest one. */
const STEP_MS = 250;
const CERTAIN = 4;
/** Frames must agree for so long, but at least and at most so many, before a clock counts as set. */
const CONFIRM_MS = 250;
const LEAST_CONFIRMATIONS = 5;
const MOST_CONFIRMATIONS = 15;
/** How much those frames' delays may differ. */
const AGREEMENT_MS = 400;
/** Standard deviation of the offset that the first points give. */
const FIRST_DEVIATION_MS = 20;
/** After a pause in the arrivals the camera may have begun anew, at another beat. */
const PAUSE_MS = 1000;
/** Jitter may carry a frame so far below the envelope. */
const SLACK_MS = 4;

/** Mapped times lie so far after the captures when the clock is known. */
const LATE_MS = 1;

export type Observation =
  /** The stamp fits the clock. */
  | 'fits'
  /** The stamp contradicts the clock; held off until others agree with it or do not. */
  | 'doubtful'
  /** This frame's stamp confirmed that the clock was set; the mapping has changed. */
  | 'step';

/** x: the camera's time since its first stamp; y: arrival − stamp; both in ms. */
interface Point {
  readonly x: number;
  readonly y: number;
  /** From the beat, to −½ … ½ period; NaN without a beat. */
  readonly offMs: number;
}

/**
 * Maps one camera's clock to the runtime's. Each frame shows arrival − stamp = offset + delay, and
 * delay is never less than the least: the lower envelope is the offset.
 *
 * A camera captures to a beat, and setting its clock does not change when it captures: stamps that
 * leave the beat and stay off it say by how much the clock was set, except for whole periods, which
 * the arrivals tell. Frames that merely arrive later and later never count as a step.
 */
export class CameraClock {
  readonly #leastDelayMs: number;
  readonly #rhythm: Rhythm;
  readonly #envelope = new LowerEnvelope();
  #filter: OffsetFilter | undefined;
  #stampBase = 0;
  #gapBase = 0;
  #beganX = 0;
  #lastX = 0;
  /** Arrival of the last frame that fitted. */
  #fittedAtMs = -Infinity;
  #doubtful: Point[] = [];
  #changed = false;
  /** Counts changes of the mapping. */
  version = 0;
  /** Times the clock was found set. */
  steps = 0;

  /** @param rhythm of the stamps that fitted so far; whoever owns it pushes them. */
  constructor(leastDelayMs: number, rhythm: Rhythm) {
    this.#leastDelayMs = leastDelayMs;
    this.#rhythm = rhythm;
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

  /**
   * How far mapped times may lie after the captures: the fastest frame so far was under way longer
   * than the least, by less and less as more have come.
   */
  get lateMs(): number {
    const seconds = (this.#lastX - this.#beganX) / 1000;
    return LATE_MS * (1 + 2 / Math.sqrt(Math.max(1, seconds)));
  }

  /** Capture time on the runtime's clock. */
  map(stampMs: number): number {
    const offset = this.#filter?.offsetAt(stampMs - this.#stampBase) ?? 0;
    return stampMs + this.#gapBase + offset - this.#leastDelayMs;
  }

  /** Stamps that contradict the clock are being looked at. */
  get doubting(): boolean {
    return this.#doubtful.length > 0;
  }

  /** A frame came earlier than any can: the clock was set, by how much is not known yet. */
  get changed(): boolean {
    return this.#changed;
  }

  observe(stampMs: number, arrivedAtMs: number): Observation {
    if (this.#filter === undefined) {
      this.#stampBase = stampMs;
      this.#gapBase = arrivedAtMs - stampMs;
      this.#filter = new OffsetFilter(0, 0, FIRST_DEVIATION_MS);
      this.#envelope.push(0, 0, 0);
      this.#fittedAtMs = arrivedAtMs;
      this.version++;
      return 'fits';
    }
    const x = stampMs - this.#stampBase;
    const y = arrivedAtMs - stampMs - this.#gapBase;
    const excess = y - this.#filter.offsetAt(x);
    const place = this.#rhythm.place(stampMs);
    const { periodMs, toleranceMs } = this.#rhythm;
    const regular =
      place === undefined
        ? x >= this.#lastX
        : place.beats >= 1 && Math.abs(place.offMs) <= toleranceMs;
    const impossible = Math.min(STEP_MS, toleranceMs + CERTAIN * this.#filter.deviationAt(x));
    // Once a stamp was doubtful, only a frame too fast for a step back says that nothing happened.
    const cleared = this.#doubtful.length === 0 || place === undefined || excess < periodMs / 2;
    if (!regular || !cleared || excess < -impossible || this.#changed) {
      const paused = arrivedAtMs - this.#fittedAtMs > PAUSE_MS;
      this.#changed ||= place !== undefined && excess < -impossible;
      return this.#doubt({ x, y, offMs: paused ? NaN : (place?.offMs ?? NaN) });
    }
    this.#doubtful = [];
    this.#fittedAtMs = arrivedAtMs;
    this.#learn(x, y, excess);
    return 'fits';
  }

  #learn(x: number, y: number, excess: number): void {
    if (x <= this.#lastX) return;
    const filter = this.#filter!;
    this.#lastX = x;
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

  #doubt(point: Point): Observation {
    const before = this.#doubtful.at(-1);
    if (before !== undefined && !this.#agree(before, point)) this.#doubtful = [];
    this.#doubtful.push(point);
    const { periodMs } = this.#rhythm;
    const wanted = Math.ceil(CONFIRM_MS / (periodMs || CONFIRM_MS));
    const enough = Math.max(LEAST_CONFIRMATIONS, Math.min(MOST_CONFIRMATIONS, wanted));
    if (this.#doubtful.length < enough) return 'doubtful';
    const points = this.#doubtful;
    this.#doubtful = [];
    this.#changed = false;
    return this.#resolve(points);
  }

  /** Whether a doubtful stamp follows another one as the camera's stamps do. */
  #agree(before: Point, point: Point): boolean {
    const { periodMs, toleranceMs } = this.#rhythm;
    const since = point.x - before.x;
    if (since <= 0 || Math.abs(point.y - before.y) >= AGREEMENT_MS) return false;
    if (Number.isNaN(point.offMs) || Number.isNaN(before.offMs)) return true;
    return Math.abs(since - Math.round(since / periodMs) * periodMs) <= toleranceMs;
  }

  /** What stamps that agree with each other and not with the clock mean. */
  #resolve(points: readonly Point[]): Observation {
    const filter = this.#filter!;
    const { periodMs, toleranceMs } = this.#rhythm;
    const { x, y } = points.at(-1)!;
    this.#fittedAtMs = x + y + this.#stampBase + this.#gapBase;
    const least = Math.min(...points.map((point) => point.y - filter.offsetAt(point.x)));
    const off = meanOff(points, periodMs);
    const slack = Math.min(periodMs / 2, SLACK_MS + 2 * filter.deviationAt(x));
    // Frames on the beat that come far too early may as well have been held up until now.
    if (Number.isNaN(off) || (least < -slack && Math.abs(off) <= toleranceMs)) {
      this.#restart(points);
      return 'step';
    }
    // Of the steps that the beat allows, the one that leaves the fastest frame the least delay.
    const stepMs = off + Math.ceil((-slack - least - off) / periodMs) * periodMs;
    if (least >= -slack && stepMs > -toleranceMs) {
      // The arrivals deny that the clock was set: the camera captures at other instants now.
      this.#rhythm.restart();
      this.#learn(x, y, y - filter.offsetAt(x));
      return 'fits';
    }
    this.#stampBase += stepMs;
    this.#gapBase -= stepMs;
    this.#rhythm.shift(stepMs);
    this.#learn(x - stepMs, y + stepMs, y + stepMs - filter.offsetAt(x - stepMs));
    this.version++;
    this.steps++;
    return 'step';
  }

  /** The clock was set, and no beat says by how much. */
  #restart(points: readonly Point[]): void {
    const filter = this.#filter!;
    this.#envelope.clear();
    let least = points[0]!;
    for (const point of points) {
      this.#envelope.push(point.x, point.y, filter.drift);
      if (point.y < least.y) least = point;
    }
    filter.restart(least.x, least.y, FIRST_DEVIATION_MS / 2);
    this.#beganX = points[0]!.x;
    this.#lastX = points.at(-1)!.x;
    this.#rhythm.restart();
    this.version++;
    this.steps++;
  }
}

/** Mean distance from the beat, on its circle. */
function meanOff(points: readonly Point[], periodMs: number): number {
  const first = points[0]!.offMs;
  const turns = points.map(({ offMs }) => wrap(offMs - first, periodMs));
  return wrap(first + turns.reduce((a, b) => a + b, 0) / turns.length, periodMs);
}
