/** Share of the phase error that a tick corrects. */
const SLEW = 0.15;
/** The ticks jump to a wider gap when it is wider by this share of the period: a jump costs a set. */
const WIDER = 0.04;

/**
 * The instants of frame sets. Cameras that run free capture at phases of their own; ticks are placed
 * so that the border between one set and the next falls into the widest gap between those phases:
 * the sets are as narrow as they can be, and no camera's jitter carries its frames over a border.
 */
export class Ticker {
  /** Instant of the set that is being gathered. */
  atMs = NaN;
  periodMs = NaN;

  get started(): boolean {
    return !Number.isNaN(this.atMs);
  }

  /** The first set's period holds the earliest capture. */
  start(captures: readonly number[], periodMs: number): void {
    const earliest = Math.min(...captures);
    const phases = captures.map((ms) => wrap(ms - earliest, periodMs));
    this.periodMs = periodMs;
    this.atMs = earliest + wrap(centre(phases, periodMs), periodMs);
  }

  /** To the next set. @param phases of the cameras, relative to the ticks. */
  advance(phases: readonly number[], periodMs: number): void {
    this.periodMs = periodMs;
    this.atMs += periodMs + this.#correction(phases);
  }

  /** Skips the sets of instants before `ms`. */
  skipBefore(ms: number): void {
    const periods = Math.ceil((ms - this.atMs) / this.periodMs);
    if (periods > 0) this.atMs += periods * this.periodMs;
  }

  /** Skips whole periods, so that the set being gathered is the one `capturedMs` falls into. */
  skipTo(capturedMs: number): void {
    const periods = Math.round((capturedMs - this.atMs) / this.periodMs);
    if (periods > 0) this.atMs += periods * this.periodMs;
  }

  #correction(phases: readonly number[]): number {
    if (phases.length === 0) return 0;
    const period = this.periodMs;
    const gaps = gapsOf(phases, period);
    const current = gaps.find(({ from, width }) => wrapUp(period / 2 - from, period) <= width)!;
    const widest = gaps.reduce((a, b) => (b.width > a.width ? b : a));
    if (widest.width > current.width + WIDER * period) {
      // Always forward: a longer period loses no camera, a shorter one would.
      return wrapUp(middle(widest) + period / 2, period);
    }
    return SLEW * wrap(middle(current) + period / 2, period);
  }
}

interface Gap {
  readonly from: number;
  readonly width: number;
}

const middle = ({ from, width }: Gap): number => from + width / 2;

/** Between neighbouring phases on the circle of one period. */
function gapsOf(phases: readonly number[], period: number): Gap[] {
  const sorted = phases.map((phase) => wrapUp(phase, period)).sort((a, b) => a - b);
  return sorted.map((from, i) => {
    const next = i + 1 < sorted.length ? sorted[i + 1]! : sorted[0]! + period;
    return { from, width: next - from };
  });
}

/** Where the middle of a set lies: opposite the widest gap. */
function centre(phases: readonly number[], period: number): number {
  const widest = gapsOf(phases, period).reduce((a, b) => (b.width > a.width ? b : a));
  return middle(widest) + period / 2;
}

/** To −½ … ½ period. */
export function wrap(ms: number, period: number): number {
  return ms - Math.round(ms / period) * period;
}

/** To 0 … 1 period. */
function wrapUp(ms: number, period: number): number {
  return ms - Math.floor(ms / period) * period;
}
