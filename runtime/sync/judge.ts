import type { SimulatedFrame } from './simulate.js';

/** Frames captured before this are judged apart: clocks are still being learned. */
const WARM_UP_MS = 5000;

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
}

/** How good a matcher's sets are, held against true capture times. NaN where it made no set. */
export interface MatchReport {
  /** Absolute error of a frame's capture time, after 5 s of warm-up. */
  readonly captureTimeErrorMs: Percentiles;
  /** Median error of the time between two frames of a set, after the warm-up. */
  readonly relativeOffsetErrorMs: number;
  /** Complete sets as a share of those of the best offline matcher. */
  readonly completeShare: number;
  /**
   * Pairs in a set captured further apart than half a period, though one of the two cameras had
   * delivered a frame nearer both to the other frame and to the set's instant. After the warm-up.
   */
  readonly wrongPairs: number;
  /** Sets that left no later than the longest wait after their instant. */
  readonly withinMaxWaitShare: number;
  /** CPU time of this process. */
  readonly microsecondsPerFrame: number;
  readonly sets: number;
  readonly complete: number;
  readonly wrongPairsInWarmUp: number;
  /**
   * Pairs captured further apart than half a period though one had a nearer partner, whatever the
   * rest of the set: cameras that run free at many phases have none only in sets of half a period.
   */
  readonly farPairs: number;
  /** Latest minus earliest true capture in complete sets. */
  readonly spreadMs: Percentiles;
}

/** A set as some matcher made it. */
export interface JudgedSet {
  /** The set's instant, and how long after it the set left. */
  readonly atMs: number;
  readonly waitedMs: number;
  readonly members: readonly { readonly frame: SimulatedFrame; readonly capturedMs: number }[];
}

export interface JudgeOptions {
  readonly cameraIds: readonly string[];
  readonly periodMs: number;
  /** Complete sets of the best offline matcher. */
  readonly best: number;
  readonly maxWaitMs: number;
}

/** Holds sets against the true capture times of `frames`. */
export function judgeOf(
  frames: readonly SimulatedFrame[],
  { cameraIds, periodMs, best, maxWaitMs }: JudgeOptions,
): (sets: readonly JudgedSet[], cpuMs: number) => MatchReport {
  const startMs = frames.reduce((first, { trueMs }) => Math.min(first, trueMs), Infinity);
  const times = new Map(cameraIds.map((id) => [id, trueTimes(frames, id)]));
  return (sets, cpuMs) => {
    let [complete, inTime, wrongPairs, wrongPairsInWarmUp, farPairs] = [0, 0, 0, 0, 0];
    const [errors, relative, spreads]: [number[], number[], number[]] = [[], [], []];
    for (const { atMs, waitedMs, members } of sets) {
      if (waitedMs <= maxWaitMs + 1e-6) inTime++;
      const warm = members[0]!.frame.trueMs - startMs >= WARM_UP_MS;
      const pairs = judgePairs(members, atMs, periodMs, times);
      farPairs += pairs.far;
      if (warm) wrongPairs += pairs.wrong;
      else wrongPairsInWarmUp += pairs.wrong;
      if (members.length === cameraIds.length) {
        complete++;
        const captures = members.map(({ frame }) => frame.trueMs);
        spreads.push(Math.max(...captures) - Math.min(...captures));
      }
      if (!warm) continue;
      const signed = members.map(({ frame, capturedMs }) => capturedMs - frame.trueMs);
      for (const error of signed) errors.push(Math.abs(error));
      for (const error of signed.slice(1)) relative.push(Math.abs(error - signed[0]!));
    }
    return {
      captureTimeErrorMs: percentiles(errors),
      relativeOffsetErrorMs: median(relative),
      completeShare: complete / best,
      wrongPairs,
      withinMaxWaitShare: inTime / sets.length,
      microsecondsPerFrame: (cpuMs * 1000) / frames.length,
      ...{ sets: sets.length, complete, wrongPairsInWarmUp, farPairs },
      spreadMs: percentiles(spreads),
    };
  };
}

/** Pairs of one set that are wrong, and pairs that are merely far apart. */
function judgePairs(
  members: JudgedSet['members'],
  atMs: number,
  periodMs: number,
  times: ReadonlyMap<string, Float64Array>,
): { wrong: number; far: number } {
  let [wrong, far] = [0, 0];
  for (const [i, { frame: a }] of members.entries()) {
    for (const { frame: b } of members.slice(i + 1)) {
      const apart = Math.abs(a.trueMs - b.trueMs);
      if (apart <= periodMs / 2) continue;
      const rivals = (of: SimulatedFrame, other: SimulatedFrame): number[] =>
        [...around(times.get(of.cameraId)!, of.trueMs)].filter(
          (ms) => Math.abs(ms - other.trueMs) < apart,
        );
      const nearer = (ms: number, of: SimulatedFrame): boolean =>
        Math.abs(ms - atMs) < Math.abs(of.trueMs - atMs);
      const [forA, forB] = [rivals(a, b), rivals(b, a)];
      if (forA.length + forB.length > 0) far++;
      if (forA.some((ms) => nearer(ms, a)) || forB.some((ms) => nearer(ms, b))) wrong++;
    }
  }
  return { wrong, far };
}

function trueTimes(frames: readonly SimulatedFrame[], id: string): Float64Array {
  const own = frames.filter(({ cameraId }) => cameraId === id);
  return Float64Array.from(own, ({ trueMs }) => trueMs).sort();
}

/** Sorted times next to `ms`, which is one of them. */
function around(times: Float64Array, ms: number): Float64Array {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! < ms) low = middle + 1;
    else high = middle;
  }
  return times.subarray(Math.max(0, low - 2), low + 3);
}

export function percentiles(values: readonly number[]): Percentiles {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? NaN;
  return { p50: at(0.5), p95: at(0.95) };
}

export const median = (values: readonly number[]): number => percentiles(values).p50;

export function tallyOf(reasons: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const reason of reasons) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

export function sumOf(
  tallies: readonly Readonly<Record<string, number>>[],
): Record<string, number> {
  const total: Record<string, number> = {};
  for (const counts of tallies) {
    for (const [reason, count] of Object.entries(counts)) {
      total[reason] = (total[reason] ?? 0) + count;
    }
  }
  return total;
}
