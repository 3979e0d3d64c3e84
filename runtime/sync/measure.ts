import type { FrameSet, RawFrame } from '../../core/types.js';
import { bestMatches, exactMatches, nearestMatches, type Match } from './baselines.js';
import { syncSchema, type SyncConfig } from './config.js';
import { judgeOf, percentiles, sumOf, tallyOf, type MatchReport } from './judge.js';
import type { Scenario } from './scenarios.js';
import { rawFrameOf, simulate, type SimulatedFrame } from './simulate.js';
import { SyncStage } from './sync.js';

interface SyncReport extends MatchReport {
  readonly clockSteps: number;
  readonly drops: Readonly<Record<string, number>>;
  readonly missing: Readonly<Record<string, number>>;
}

/** `bestOffline` knows the true capture times: what nobody can beat. */
type Baseline = 'nearestStamp' | 'nearestArrival' | 'exactStamp' | 'bestOffline';

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
  return measureFrames(name, simulate(cameras, durationMs, seed), config, {
    cameraIds: cameras.map(({ id }) => id),
    periodMs: 1000 / cameras[0]!.rateHz,
    freeRunning: cameras[0]!.freeRunning,
  });
}

/** Frames of known capture times, by the stage and by the baselines. */
export function measureFrames(
  scenario: string,
  frames: readonly SimulatedFrame[],
  config: Partial<SyncConfig>,
  about: { cameraIds: readonly string[]; periodMs: number; freeRunning: boolean },
): ScenarioReport {
  const { cameraIds, periodMs } = about;
  const { maxWaitMs } = syncSchema.parse(config);
  // Cameras that run free fill the whole period with their phases.
  const widestMs = about.freeRunning ? periodMs : periodMs / 2;
  const best = bestMatches(frames, cameraIds, widestMs).length;
  const judge = judgeOf(frames, { cameraIds, periodMs, best, maxWaitMs });
  const byKey = new Map(frames.map((frame) => [keyOf(frame), frame]));
  const { stage, sets, cpuMs } = runSync(
    frames.map((frame) => rawFrameOf(frame)),
    cameraIds,
    config,
  );
  const judged = sets.map(({ set, leftAtMs }) => ({
    waitedMs: leftAtMs - set.atMs,
    members: [...set.frames.values()].map((frame) => ({
      frame: byKey.get(keyOf(frame))!,
      capturedMs: frame.capturedAtMs,
    })),
  }));
  const baseline = (match: () => Match[], time: (frame: SimulatedFrame) => number): MatchReport => {
    const before = process.cpuUsage();
    const matches = match();
    const cpuMs = cpuMsSince(before);
    const sets = matches.map((frames) => ({
      waitedMs: Math.max(...frames.map(({ arrivedAtMs }) => arrivedAtMs)) - time(frames[0]!),
      members: frames.map((frame) => ({ frame, capturedMs: time(frame) })),
    }));
    return judge(sets, cpuMs);
  };
  const stampOf = ({ stampMs }: SimulatedFrame): number => stampMs;
  const arrivalOf = ({ arrivedAtMs }: SimulatedFrame): number => arrivedAtMs;
  return {
    scenario,
    cameras: cameraIds.length,
    frames: frames.length,
    ...judge(judged, cpuMs),
    clockSteps: cameraIds.reduce((sum, id) => sum + stage.stepsOf(id), 0),
    drops: sumOf(cameraIds.map((id) => stage.dropsOf(id))),
    missing: tallyOf(sets.flatMap(({ set }) => [...set.missing.values()])),
    baselines: {
      nearestStamp: baseline(() => nearestMatches(frames, cameraIds, periodMs, stampOf), stampOf),
      nearestArrival: baseline(
        () => nearestMatches(frames, cameraIds, periodMs, arrivalOf),
        arrivalOf,
      ),
      exactStamp: baseline(() => exactMatches(frames, cameraIds), stampOf),
      bestOffline: baseline(
        () => bestMatches(frames, cameraIds, widestMs),
        ({ trueMs }) => trueMs,
      ),
    },
  };
}

/** What can be said of frames whose true capture times nobody knows. */
export interface ArrivalReport {
  readonly cameras: number;
  readonly frames: number;
  readonly sets: number;
  readonly complete: number;
  /** Complete sets as a share of all sets. */
  readonly completeShare: number;
  readonly spreadMs: { readonly p50: number; readonly p95: number };
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
  const complete = sets.filter(({ set }) => set.missing.size === 0).length;
  const inTime = sets.filter(({ set, leftAtMs }) => leftAtMs - set.atMs <= maxWaitMs + 1e-6).length;
  return {
    cameras: cameraIds.length,
    frames: frames.length,
    sets: sets.length,
    complete,
    completeShare: complete / sets.length,
    spreadMs: percentiles(sets.map(({ set }) => set.spreadMs)),
    withinMaxWaitShare: inTime / sets.length,
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
