/** Length of a block, of whose points only the lowest is kept. */
const BLOCK_MS = 500;
/** Blocks of the window: 30 s. Longer would fit a bent clock with a straight line. */
const MOST_BLOCKS = 60;

export interface Line {
  /** Value at the window's last point. */
  readonly value: number;
  readonly slope: number;
  /** Mean height of the points above the line: how ragged the envelope is. */
  readonly excess: number;
  /** How far the points reach in x. */
  readonly span: number;
  /** Points the line lies under. */
  readonly count: number;
  /** Where `value` holds. */
  readonly x: number;
}

/**
 * The line below a sliding window of points that lies closest under them. Transport only ever adds
 * delay, so the lowest points show the clock. Of all lines below the points the one with the least
 * sum of distances is the edge of the lower convex hull over the points' mean (Moon, Skelly and
 * Towsley, "Estimation and removal of clock skew from network delay measurements", 1999).
 */
export class LowerEnvelope {
  #xs: number[] = [];
  #ys: number[] = [];
  #blockStart = NaN;

  /** Adds a point; x grows. True when a block is full and a new line is worth fitting. */
  push(x: number, y: number, slope: number): boolean {
    const last = this.#xs.length - 1;
    if (last >= 0 && x - this.#blockStart < BLOCK_MS) {
      if (y - slope * (x - this.#xs[last]!) < this.#ys[last]!) {
        this.#xs[last] = x;
        this.#ys[last] = y;
      }
      return false;
    }
    this.#blockStart = x;
    this.#xs.push(x);
    this.#ys.push(y);
    if (this.#xs.length > MOST_BLOCKS) {
      this.#xs.shift();
      this.#ys.shift();
    }
    return last >= 0;
  }

  clear(): void {
    this.#xs = [];
    this.#ys = [];
    this.#blockStart = NaN;
  }

  /** Undefined with fewer than two blocks. The slope is held within ± `steepest`. */
  fit(steepest: number): Line | undefined {
    const [xs, ys] = [this.#xs, this.#ys];
    // The newest block has hardly begun: its lowest point is not known yet.
    const count = xs.length - 1;
    if (count < 2) return undefined;
    let meanX = 0;
    let meanY = 0;
    for (let i = 0; i < count; i++) {
      meanX += xs[i]! / count;
      meanY += ys[i]! / count;
    }
    const slope = Math.max(-steepest, Math.min(steepest, this.#hullSlope(count, meanX)));
    let value = Infinity;
    const x = xs[count - 1]!;
    for (let i = 0; i < count; i++) value = Math.min(value, ys[i]! + slope * (x - xs[i]!));
    const excess = meanY + slope * (x - meanX) - value;
    return { value, slope, excess, span: x - xs[0]!, count, x };
  }

  /** Slope of the lower hull's edge over `x`. */
  #hullSlope(count: number, x: number): number {
    const [xs, ys] = [this.#xs, this.#ys];
    const hull: number[] = [];
    for (let i = 0; i < count; i++) {
      while (hull.length > 1) {
        const [a, b] = [hull[hull.length - 2]!, hull[hull.length - 1]!];
        const turn = (xs[b]! - xs[a]!) * (ys[i]! - ys[a]!) - (ys[b]! - ys[a]!) * (xs[i]! - xs[a]!);
        if (turn > 0) break;
        hull.pop();
      }
      hull.push(i);
    }
    let edge = 1;
    while (edge < hull.length - 1 && xs[hull[edge]!]! < x) edge++;
    const [a, b] = [hull[edge - 1]!, hull[edge]!];
    return (ys[b]! - ys[a]!) / (xs[b]! - xs[a]!);
  }
}
