import type { FrameSet, RawFrame } from '../../core/types.js';
import { anyMatches, exactMatches, nearestMatches, type Match } from './baselines.js';
import { bestMatches } from './best-matches.js';
import { syncSchema, type SyncConfig } from './config.js';
import {
  judgeOf,
  percentiles,
  sumOf,
  tallyOf,
  type MatchReport,
  type Percentiles,
} from './judge.js';
import type { Scenario } from './scenarios.js';
import { rawFrameOf, simulate, type SimulatedFrame } from './simulate.js';
import { SyncStage } from './sync.js';

interface SyncReport extends MatchReport {
  /** From a set's instant until it left. */
  readonly waitMs: Percentiles;
  readonly clockSteps: number;
  readonly drops: Readonly<Record<string, number>>;
  readonly missing: Readonly<Record<string, number>>;
}

/** `bestOffline` and `anyTicks` know the true capture times of all frames. */
type Baseline = 'nearestTimestamp' | 'nearestArrival' | 'exactTime' | 'bestOffline' | 'anyTicks';

export interface ScenarioReport extends SyncReport {
  readonly scenario: string;
  readonly cameras: number;
  readonly frames: number;
  readonly baselines: Readonly<Record<Baseline, MatchReport>>;
}

/** A set that left, and when. */
export interface TimedSet {
  readonly set: FrameSet;
  readonly leftAtMs: number;
}

/** Runs the stage over frames in order of arrival, waking it at its deadlines as the runtime does. */
export function runSync(
  frames: readonly RawFrame[],
  cameraIds: readonly string[],
  config: Partial<SyncConfig> = {},
): { stage: SyncStage; sets: TimedSet[]; cpuMs: number } {
  const stage = new SyncStage({ cameraIds, ...config });
  const sets: TimedSet[] = [];
  let nowMs = 0;
  const take = (left: FrameSet[]): void => {
    for (const set of left) sets.push({ set, leftAtMs: nowMs });
  };
  const before = process.cpuUsage();
  for (const raw of frames) {
    while (stage.nextDeadlineMs < raw.arrivedAtMs) {
      nowMs = Math.max(nowMs, stage.nextDeadlineMs);
      take(stage.poll(nowMs));
    }
    nowMs = raw.arrivedAtMs;
    take(stage.push(raw));
  }
  take(stage.close());
  return { stage, sets, cpuMs: cpuMsSince(before) };
}

/** The stage and the baselines on the same stream. */
export function measureScenario(
  scenario: Scenario,
  config: Partial<SyncConfig> = {},
): ScenarioReport {
  const { cameras, durationMs, seed, name } = scenario;
  const slowest = Math.min(...cameras.map(({ rateHz }) => rateHz));
  return measureFrames(name, simulate(cameras, durationMs, seed), config, {
    cameraIds: cameras.map(({ id }) => id),
    periodMs: 1000 / slowest,
  });
}

/** Frames of known capture times, by the stage and by the baselines. */
export function measureFrames(
  scenario: string,
  frames: readonly SimulatedFrame[],
  config: Partial<SyncConfig>,
  about: { cameraIds: readonly string[]; periodMs: number },
): ScenarioReport {
  const { cameraIds, periodMs } = about;
  const { maxWaitMs } = syncSchema.parse(config);
  const best = bestMatches(frames, cameraIds, periodMs);
  const judge = judgeOf(frames, { cameraIds, periodMs, best: best.length, maxWaitMs });
  const byKey = new Map(frames.map((frame) => [keyOf(frame), frame]));
  const raws = frames.map((frame) => rawFrameOf(frame));
  const { stage, sets, cpuMs } = runSync(raws, cameraIds, config);
  const judged = sets.map(({ set, leftAtMs }) => ({
    atMs: set.atMs,
    waitedMs: leftAtMs - set.atMs,
    members: [...set.frames.values()].map((frame) => ({
      frame: byKey.get(keyOf(frame))!,
      capturedMs: frame.capturedAtMs,
    })),
  }));
  return {
    ...judge(judged, cpuMs),
    ...{ scenario, cameras: cameraIds.length, frames: frames.length },
    waitMs: percentiles(judged.map(({ waitedMs }) => waitedMs)),
    clockSteps: cameraIds.reduce((sum, id) => sum + stage.stepsOf(id), 0),
    drops: sumOf(cameraIds.map((id) => stage.dropsOf(id))),
    missing: tallyOf(sets.flatMap(({ set }) => [...set.missing.values()])),
    baselines: baselinesOf(frames, about, judge),
  };
}

function baselinesOf(
  frames: readonly SimulatedFrame[],
  { cameraIds, periodMs }: { cameraIds: readonly string[]; periodMs: number },
  judge: ReturnType<typeof judgeOf>,
): Record<Baseline, MatchReport> {
  const report = (match: () => Match[], time: (frame: SimulatedFrame) => number): MatchReport => {
    const before = process.cpuUsage();
    const matches = match();
    const cpuMs = cpuMsSince(before);
    const sets = matches.map((members) => ({
      atMs: middle(members.map(({ trueMs }) => trueMs)),
      waitedMs:
        Math.max(...members.map(({ arrivedAtMs }) => arrivedAtMs)) - middle(members.map(time)),
      members: members.map((frame) => ({ frame, capturedMs: time(frame) })),
    }));
    return judge(sets, cpuMs);
  };
  const stampOf = ({ stampMs }: SimulatedFrame): number => stampMs;
  const arrivalOf = ({ arrivedAtMs }: SimulatedFrame): number => arrivedAtMs;
  const trueOf = ({ trueMs }: SimulatedFrame): number => trueMs;
  return {
    nearestTimestamp: report(() => nearestMatches(frames, cameraIds, periodMs, stampOf), stampOf),
    nearestArrival: report(() => nearestMatches(frames, cameraIds, periodMs, arrivalOf), arrivalOf),
    exactTime: report(() => exactMatches(frames, cameraIds), stampOf),
    bestOffline: report(() => bestMatches(frames, cameraIds, periodMs), trueOf),
    anyTicks: report(() => anyMatches(frames, cameraIds, periodMs), trueOf),
  };
}

const middle = (times: readonly number[]): number => (Math.min(...times) + Math.max(...times)) / 2;

/** What can be said of frames whose true capture times nobody knows. */
export interface ArrivalReport {
  readonly cameras: number;
  readonly frames: number;
  readonly sets: number;
  readonly complete: number;
  /** Complete sets as a share of the frames of the camera that has the fewest. */
  readonly completeShare: number;
  /** Of complete sets, as far as the capture times are known. */
  readonly spreadMs: Percentiles;
  readonly waitMs: Percentiles;
  readonly withinMaxWaitShare: number;
  readonly drops: Readonly<Record<string, number>>;
  readonly missing: Readonly<Record<string, number>>;
  readonly microsecondsPerFrame: number;
}

export function measureArrivals(
  frames: readonly RawFrame[],
  cameraIds: readonly string[],
  config: Partial<SyncConfig>,
): ArrivalReport {
  const { maxWaitMs } = syncSchema.parse(config);
  const { stage, sets, cpuMs } = runSync(frames, cameraIds, config);
  const complete = sets.filter(({ set }) => set.missing.size === 0);
  const waits = sets.map(({ set, leftAtMs }) => leftAtMs - set.atMs);
  const counts = cameraIds.map((id) => frames.filter(({ cameraId }) => cameraId === id).length);
  return {
    cameras: cameraIds.length,
    frames: frames.length,
    sets: sets.length,
    complete: complete.length,
    completeShare: complete.length / Math.min(...counts),
    spreadMs: percentiles(complete.map(({ set }) => set.spreadMs)),
    waitMs: percentiles(waits),
    withinMaxWaitShare: waits.filter((ms) => ms <= maxWaitMs + 1e-6).length / sets.length,
    drops: sumOf(cameraIds.map((id) => stage.dropsOf(id))),
    missing: tallyOf(sets.flatMap(({ set }) => [...set.missing.values()])),
    microsecondsPerFrame: (cpuMs * 1000) / frames.length,
  };
}

const keyOf = ({ cameraId, sequence }: { cameraId: string; sequence: number }): string =>
  `${cameraId} ${sequence}`;

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
