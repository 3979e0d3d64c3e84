import { describe, expect, it } from 'vitest';
import { measureScenario } from '../../../runtime/sync/measure.js';
import { scenarioOf, scenarios } from '../../../runtime/sync/scenarios.js';
import { rig, run } from './streams.js';

describe('eight cameras whose clocks, delays and losses are those of cheap hardware', () => {
  const report = measureScenario({ ...scenarios(3)[0]!, durationMs: 180_000 });

  it('get their capture times within 2 ms, and those of a set within 1 ms of each other', () => {
    expect(report.captureTimeErrorMs.p95).toBeLessThan(2);
    expect(report.relativeOffsetErrorMs).toBeLessThan(1);
  });

  it('are complete wherever they can be, and never wrong', () => {
    expect(report.completeShare).toBeGreaterThan(0.995);
    expect([report.wrongPairs, report.wrongPairsInWarmUp, report.farPairs]).toEqual([0, 0, 0]);
  });

  it('leave in time', () => {
    expect(report.withinMaxWaitShare).toBe(1);
  });

  it('are matched better than by nearest stamps, nearest arrivals or equal stamps', () => {
    const { nearestTimestamp, nearestArrival, exactTime } = report.baselines;
    for (const baseline of [nearestTimestamp, nearestArrival, exactTime]) {
      expect(baseline.completeShare).toBeLessThan(report.completeShare);
    }
    expect(nearestTimestamp.wrongPairs).toBeGreaterThan(0);
    expect(nearestArrival.wrongPairs).toBeGreaterThan(0);
  });
});

describe('cameras that run free', () => {
  it.each([
    [8, 30, 5, 300],
    [8, 30, 8, 300],
    [4, 15, 5, 120],
    [3, 60, 5, 120],
  ])(
    '%i of them at %i fps are as complete as at the best ticks, and never wrong (seed %i)',
    (count, rateHz, seed, seconds) => {
      const rates = Array<number>(count).fill(rateHz);
      const { completeShare, wrongPairs, baselines, withinMaxWaitShare } = measureScenario(
        scenarioOf({ rates, freeRunning: true, seed, seconds }),
      );
      expect(completeShare).toBeGreaterThan(0.995);
      expect(wrongPairs).toBe(0);
      expect(withinMaxWaitShare).toBe(1);
      expect(baselines.bestOffline).toMatchObject({ completeShare: 1, wrongPairs: 0 });
    },
  );

  it('whose phases fill the period are left out of a set rather than wrong in it', () => {
    const rates = Array<number>(8).fill(60);
    // 60 fps: the widest gap between eight phases is 2 ms wide at worst; jitter alone is 0.5 ms.
    const { completeShare, wrongPairs } = measureScenario(
      scenarioOf({ rates, freeRunning: true, seed: 14, seconds: 120 }),
    );
    expect(wrongPairs).toBe(0);
    expect(completeShare).toBeGreaterThan(0.98);
  });

  it('of unlike rates are matched to the slowest', () => {
    const { completeShare, wrongPairs } = measureScenario(
      scenarioOf({ rates: [60, 30, 15], freeRunning: true, seed: 6, seconds: 120 }),
    );
    expect(completeShare).toBeGreaterThan(0.995);
    expect(wrongPairs).toBe(0);
  });

  it('share sets whose border lies in the widest gap between their phases', () => {
    const cameras = rig({}, true).map((camera, i) => ({
      ...camera, dropShare: 0, driftPpm: 0, phaseMs: [0, 4, 20, 24][i]!,
    })); // prettier-ignore
    const { sets } = run(cameras, 20_000);
    const settled = sets.slice(60, -5);
    // Phases 0, 4, 20, 24 of 33.3 ms: the widest gap is 16 ms, from 4 to 20.
    for (const { set } of settled) {
      expect(set.missing.size).toBe(0);
      expect(set.spreadMs).toBeLessThan(23);
    }
  });

  it('lose next to nothing while their phases slip through each other', () => {
    const cameras = rig({}, true).map((camera) => ({ ...camera, dropShare: 0 }));
    const { sets, stage, ids } = run(cameras, 300_000);
    const complete = sets.filter(({ set }) => set.missing.size === 0).length;
    expect(complete / sets.length).toBeGreaterThan(0.995);
    for (const id of ids) expect(stage.stepsOf(id)).toBe(0);
  });
});
