/** Delays that are remembered: some 20 s of a camera. */
const WINDOW = 1024;
/** Fewer say nothing about a tail. */
const LEAST = 64;
/** Delays between two looks at the quantiles. */
const EVERY = 32;
/** How far beyond the 99th percentile frames are waited for, in distances from the median to it. */
const TAIL = 3;
const LEAST_TAIL_MS = 10;

/**
 * How long a camera's frames are under way. One frame in a hundred comes after the 99th percentile:
 * of eight cameras that would leave every twelfth set without one, so that the wait goes on for twice
 * the distance from the median to it.
 */
export class Delays {
  readonly #ring = new Float64Array(WINDOW);
  #count = 0;
  /** After this a frame counts as lost; Infinity until known. */
  patienceMs = Infinity;

  push(delayMs: number): void {
    this.#ring[this.#count % WINDOW] = delayMs;
    this.#count++;
    if (this.#count >= LEAST && this.#count % EVERY === 0) this.#measure();
  }

  #measure(): void {
    const sorted = this.#ring.slice(0, Math.min(this.#count, WINDOW)).sort();
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))]!;
    const p99 = at(0.99);
    this.patienceMs = p99 + Math.max(LEAST_TAIL_MS, TAIL * (p99 - at(0.5)));
  }
}
