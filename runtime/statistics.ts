import type { Percentiles } from '../core/protocol.js';

/** The newest `capacity` numbers; the oldest make room. */
export class Window {
  readonly #values: Float64Array;
  #pushed = 0;

  constructor(capacity = 512) {
    this.#values = new Float64Array(capacity);
  }

  push(value: number): void {
    this.#values[this.#pushed % this.#values.length] = value;
    this.#pushed++;
  }

  get percentiles(): Percentiles {
    const sorted = this.#values.slice(0, Math.min(this.#pushed, this.#values.length)).sort();
    return { p50: nearestRank(sorted, 0.5), p95: nearestRank(sorted, 0.95) };
  }
}

/** Nearest-rank percentile of ascending numbers; 0 of none. */
function nearestRank(sorted: Float64Array, share: number): number {
  if (sorted.length === 0) return 0;
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}

/** Events a second over the last seconds. */
export class Rate {
  readonly #spanMs: number;
  #timesMs: number[] = [];

  constructor(spanMs = 4000) {
    this.#spanMs = spanMs;
  }

  count(atMs: number): void {
    this.#timesMs.push(atMs);
    if (this.#timesMs.length > 2048) this.#timesMs.shift();
  }

  perSecond(nowMs: number): number {
    this.#timesMs = this.#timesMs.filter((at) => nowMs - at <= this.#spanMs);
    const [first] = this.#timesMs;
    if (first === undefined || this.#timesMs.length < 2) return 0;
    const seconds = Math.max(nowMs - first, this.#spanMs / 4) / 1000;
    return (this.#timesMs.length - 1) / seconds;
  }
}

export class Tally {
  readonly #counts = new Map<string, number>();

  add(reason: string, count = 1): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + count);
  }

  get counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
