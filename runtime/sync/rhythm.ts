/** Intervals whose median is the first guess, and what the fit is held against. */
const INTERVALS = 15;
/** Stamps the fitted line remembers. */
const MEMORY = 80;
/** Stamps that must have been seen before a stamp can be said to be off the beat. */
const SETTLED = 8;
/**
 * A fitted period this far from the median interval is another rate, but for jitter: so many times
 * the distance from the median to the fifth of the intervals below it.
 */
const OTHER_RATE = 0.1;
const OTHER_SPREADS = 1.5;
/** Off the beat: further than this, than this share of the period, than so many mean deviations. */
const OFF_MS = 4;
const OFF_SHARE = 0.12;
const OFF_DEVIATIONS = 8;
/** So many stamps off the beat in a row are a new beat. */
const NEW_BEAT = 4;
/** After a pause this long the beat may be anywhere. */
const FORGOTTEN_MS = 5000;

/** Where a stamp falls on the beat. */
export interface Place {
  /** Whole periods since the last beat. */
  readonly beats: number;
  /** From the nearest beat. */
  readonly offMs: number;
}

/**
 * The beat of one camera's stamps, on the camera's own clock: a line through the last of them
 * (stamp against count), fitted one by one with the gains of least squares.
 */
export class Rhythm {
  readonly #intervals: number[] = [];
  #medianMs = 0;
  #spreadMs = 0;
  #periodMs = 0;
  #beatMs = NaN;
  #lastMs = NaN;
  #fitted = 0;
  #deviationMs = 0;
  #odd = 0;

  /** 0 until known. */
  get periodMs(): number {
    return this.#periodMs;
  }

  /** The last stamp without its jitter; NaN before the first. */
  get beatMs(): number {
    return this.#beatMs;
  }

  /** How far from its beat a stamp may fall. */
  get toleranceMs(): number {
    return Math.max(OFF_MS, OFF_SHARE * this.#periodMs, OFF_DEVIATIONS * this.#deviationMs);
  }

  /** Undefined while the beat is not known well enough to say. */
  place(stampMs: number): Place | undefined {
    if (this.#fitted < SETTLED || Math.abs(stampMs - this.#lastMs) > FORGOTTEN_MS) return undefined;
    const since = stampMs - this.#beatMs;
    const beats = Math.round(since / this.#periodMs);
    return { beats, offMs: since - beats * this.#periodMs };
  }

  /** The camera's next stamp; stamps grow. */
  push(stampMs: number): void {
    const intervalMs = stampMs - this.#lastMs;
    this.#lastMs = stampMs;
    if (!(intervalMs <= FORGOTTEN_MS)) {
      this.#begin(stampMs);
      return;
    }
    this.#learnMedian(intervalMs);
    const other = Math.max(OTHER_RATE * this.#medianMs, OTHER_SPREADS * this.#spreadMs);
    if (this.#periodMs === 0 || Math.abs(this.#periodMs - this.#medianMs) > other) {
      this.#periodMs = this.#medianMs;
      this.#begin(stampMs);
      return;
    }
    this.#fit(stampMs);
  }

  /** The clock was set by so much. */
  shift(ms: number): void {
    this.#beatMs += ms;
    this.#lastMs += ms;
  }

  /** The next stamp begins a new beat of the same rate. */
  restart(): void {
    this.#lastMs = NaN;
    this.#fitted = 0;
  }

  #begin(stampMs: number): void {
    this.#beatMs = stampMs;
    this.#fitted = 1;
    this.#odd = 0;
  }

  #fit(stampMs: number): void {
    const since = stampMs - this.#beatMs;
    const beats = Math.max(1, Math.round(since / this.#periodMs));
    const off = since - beats * this.#periodMs;
    const tolerance = this.toleranceMs;
    this.#odd = Math.abs(off) > tolerance ? this.#odd + 1 : 0;
    if (this.#odd >= NEW_BEAT) {
      this.#begin(stampMs);
      return;
    }
    const pulled = Math.max(-tolerance, Math.min(tolerance, off));
    const n = Math.min(MEMORY, ++this.#fitted);
    this.#beatMs += beats * this.#periodMs + ((2 * (2 * n - 1)) / (n * (n + 1))) * pulled;
    this.#periodMs += ((6 / (n * (n + 1))) * pulled) / beats;
    this.#deviationMs += (Math.abs(pulled) - this.#deviationMs) / n;
  }

  #learnMedian(intervalMs: number): void {
    this.#intervals.push(intervalMs);
    if (this.#intervals.length > INTERVALS) this.#intervals.shift();
    const sorted = [...this.#intervals].sort((a, b) => a - b);
    // The lower one of two: a lost frame makes an interval longer, nothing makes it shorter.
    this.#medianMs = sorted[(sorted.length - 1) >> 1]!;
    this.#spreadMs = this.#medianMs - sorted[Math.floor(sorted.length / 5)]!;
  }
}
