import type { SimulatedFrame } from './simulate.js';

/** Frames captured before this are not judged for their times: clocks are still being learned. */
const WARM_UP_MS = 5000;

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
}

export interface MatchReport {
  readonly sets: number;
  readonly complete: number;
  /** Complete sets as a share of the most that could be made by who knows the true times. */
  readonly completeShare: number;
  /** Pairs in a set further apart than half a period though a nearer partner had arrived. */
  readonly wrongPairs: number;
  readonly captureTimeErrorMs: Percentiles;
  /** Error of the time between two frames of a set. */
  readonly relativeOffsetErrorMs: Percentiles;
  readonly withinMaxWaitShare: number;
  /** CPU time of this process. */
  readonly microsecondsPerFrame: number;
}

/** A set as some matcher made it. */
export interface JudgedSet {
  /** From the set's instant until it left. */
  readonly waitedMs: number;
  readonly members: readonly { readonly frame: SimulatedFrame; readonly capturedMs: number }[];
}

export interface JudgeOptions {
  readonly cameraIds: readonly string[];
  readonly periodMs: number;
  /** Most complete sets that could be made. */
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
  const wrong = (a: SimulatedFrame, b: SimulatedFrame): boolean => {
    const apart = Math.abs(a.trueMs - b.trueMs);
    return apart > periodMs / 2 && nearest(times.get(b.cameraId)!, a.trueMs) < apart;
  };
  return (sets, cpuMs) => {
    let [complete, wrongPairs, inTime] = [0, 0, 0];
    const errors: number[] = [];
    const relative: number[] = [];
    for (const { members, waitedMs } of sets) {
      if (members.length === cameraIds.length) complete++;
      if (waitedMs <= maxWaitMs + 1e-6) inTime++;
      for (const [i, a] of members.entries()) {
        for (const b of members.slice(i + 1)) if (wrong(a.frame, b.frame)) wrongPairs++;
      }
      if (members[0]!.frame.trueMs - startMs < WARM_UP_MS) continue;
      const signed = members.map(({ frame, capturedMs }) => capturedMs - frame.trueMs);
      for (const error of signed) errors.push(Math.abs(error));
      for (const error of signed.slice(1)) relative.push(Math.abs(error - signed[0]!));
    }
    return {
      sets: sets.length,
      complete,
      completeShare: complete / best,
      wrongPairs,
      captureTimeErrorMs: percentiles(errors),
      relativeOffsetErrorMs: percentiles(relative),
      withinMaxWaitShare: sets.length === 0 ? 0 : inTime / sets.length,
      microsecondsPerFrame: (cpuMs * 1000) / frames.length,
    };
  };
}

function trueTimes(frames: readonly SimulatedFrame[], id: string): Float64Array {
  const own = frames.filter(({ cameraId }) => cameraId === id);
  return Float64Array.from(own, ({ trueMs }) => trueMs).sort();
}

/** Distance to the nearest of sorted times. */
function nearest(times: Float64Array, ms: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! < ms) low = middle + 1;
    else high = middle;
  }
  const after = Math.abs((times[low] ?? Infinity) - ms);
  return Math.min(after, Math.abs((times[low - 1] ?? Infinity) - ms));
}

export function percentiles(values: readonly number[]): Percentiles {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  return { p50: at(0.5), p95: at(0.95) };
}

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
