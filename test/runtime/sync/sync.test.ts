import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FrameSet, RawFrame } from '../../../core/types.js';
import { readTimestamps } from '../../../runtime/camera/timestamps.js';
import { SyncStage } from '../../../runtime/sync/index.js';
import { measureScenario, runSync } from '../../../runtime/sync/measure.js';
import { rigOf, scenarios } from '../../../runtime/sync/scenarios.js';
import {
  rawFrameOf,
  simulate,
  type SimulatedCamera,
  type SimulatedEvent,
} from '../../../runtime/sync/simulate.js';
import { describeWithData, sharedData } from '../../support/shared-data.js';

const MAX_WAIT_MS = 250;

const rig = (
  events: Record<number, SimulatedEvent[]> = {},
  freeRunning = false,
): SimulatedCamera[] => rigOf({ count: 4, rateHz: 30, seed: 7, freeRunning, events });

const run = (cameras: SimulatedCamera[], durationMs: number, config = {}) => {
  const frames = simulate(cameras, durationMs, 11);
  const ids = cameras.map(({ id }) => id);
  const truth = new Map(
    frames.map((frame) => [`${frame.cameraId} ${frame.sequence}`, frame.trueMs]),
  );
  const trueMs = ({ cameraId, sequence }: RawFrame) => truth.get(`${cameraId} ${sequence}`)!;
  return {
    ...runSync(
      frames.map((frame) => rawFrameOf(frame)),
      ids,
      config,
    ),
    trueMs,
    frames,
    ids,
  };
};

describe('eight cameras whose clocks, delays and losses are those of cheap hardware', () => {
  const report = measureScenario({ ...scenarios(3)[0]!, durationMs: 180_000 });

  it('get their capture times within 2 ms, and those of a set within 1 ms of each other', () => {
    expect(report.captureTimeErrorMs.p95).toBeLessThan(2);
    expect(report.relativeOffsetErrorMs.p50).toBeLessThan(1);
  });

  it('are complete wherever they can be, and never wrong', () => {
    expect(report.completeShare).toBeGreaterThan(0.995);
    expect(report.wrongPairs).toBe(0);
  });

  it('leave in time', () => {
    expect(report.withinMaxWaitShare).toBe(1);
  });

  it('are matched better than by nearest stamps, nearest arrivals or equal stamps', () => {
    const { nearestStamp, nearestArrival, exactStamp } = report.baselines;
    for (const baseline of [nearestStamp, nearestArrival, exactStamp]) {
      expect(baseline.completeShare).toBeLessThan(report.completeShare);
    }
    expect(nearestStamp.wrongPairs).toBeGreaterThan(0);
    expect(nearestArrival.wrongPairs).toBeGreaterThan(0);
  });
});

describe('cameras that run free', () => {
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

describe('a camera that dies', () => {
  const { sets, ids } = run(rig({ 1: [{ kind: 'dead', atMs: 10_000, untilMs: 20_000 }] }), 30_000);
  const [, dead] = ids;

  it('never holds up the others beyond the longest wait', () => {
    for (const { set, leftAtMs } of sets) {
      expect(leftAtMs - set.atMs).toBeLessThanOrEqual(MAX_WAIT_MS + 1e-6);
    }
    const during = sets.filter(({ set }) => set.atMs > 11_000 && set.atMs < 19_900);
    expect(during.length).toBeGreaterThan(250);
    expect(new Set(during.map(({ set }) => set.missing.get(dead!)))).toEqual(new Set(['silent']));
    // Once it counts as silent nobody waits for it: sets leave as soon as the others are there.
    const waits = during.map(({ set, leftAtMs }) => leftAtMs - set.atMs).sort((a, b) => a - b);
    expect(waits[waits.length >> 1]).toBeLessThan(60);
  });

  it('is back in the sets within a second of its return', () => {
    const back = sets.find(({ set }) => set.atMs > 19_990 && set.frames.has(dead!))!;
    expect(back.set.atMs).toBeLessThan(21_000);
  });
});

describe('a camera that is 400 ms late', () => {
  const late: SimulatedEvent = { kind: 'late', atMs: 10_000, untilMs: 20_000, byMs: 400 };
  const { sets, ids, stage, trueMs } = run(rig({ 2: [late] }), 30_000);

  it('is left out in time, counted as late, and never taken for a clock that was set', () => {
    for (const { set, leftAtMs } of sets) {
      expect(leftAtMs - set.atMs).toBeLessThanOrEqual(MAX_WAIT_MS + 1e-6);
    }
    expect(stage.dropsOf(ids[2]!).late).toBeGreaterThan(200);
    expect(stage.stepsOf(ids[2]!)).toBe(0);
  });

  it('is back within a second, with the capture times it had', () => {
    const back = sets.find(({ set }) => set.atMs > 20_000 && set.frames.has(ids[2]!))!;
    expect(back.set.atMs).toBeLessThan(21_000);
    for (const { set } of sets.filter(({ set }) => set.atMs > 21_000)) {
      const frame = set.frames.get(ids[2]!);
      if (frame !== undefined) expect(Math.abs(frame.capturedAtMs - trueMs(frame))).toBeLessThan(6);
    }
  });
});

describe('a clock that is set while it runs', () => {
  it.each([2000, -2000, 400, -400, 100, 21, -21])(
    'by %i ms is followed within a second',
    (byMs) => {
      const { sets, ids, stage, trueMs } = run(
        rig({ 0: [{ kind: 'step', atMs: 15_000, byMs }] }),
        30_000,
      );
      const after = sets.filter(({ set }) => set.atMs > 16_000 && set.frames.has(ids[0]!));
      expect(after.length).toBeGreaterThan(380);
      for (const { set } of after) {
        const frame = set.frames.get(ids[0]!)!;
        expect(Math.abs(frame.capturedAtMs - trueMs(frame))).toBeLessThan(8);
      }
      if (Math.abs(byMs) > 250) {
        expect(stage.stepsOf(ids[0]!)).toBe(1);
        expect(stage.dropsOf(ids[0]!)['clock-step']).toBeGreaterThan(0);
      }
      // A step back by less than an interval takes some frames to be told from a late one.
      for (const { set } of byMs < -250 || byMs > 0 ? sets : after) {
        const times = [...set.frames.values()].map(trueMs);
        expect(Math.max(...times) - Math.min(...times)).toBeLessThan(1000 / 60);
      }
    },
  );
});

describe('a camera that changes its rate', () => {
  it('slows the sets down, complete all the while', () => {
    const { sets } = run(rig({ 3: [{ kind: 'rate', atMs: 10_000, rateHz: 15 }] }), 20_000);
    const after = sets.filter(({ set }) => set.atMs > 12_000 && set.atMs < 19_000);
    expect(after.length).toBeGreaterThan(100);
    expect(after.length).toBeLessThan(110);
  });
});

/** A stamp on the runtime's clock, so that a test scripts exact times. */
const exact = (cameraId: string, sequence: number, ms: number, delayMs = 5): RawFrame => ({
  ...rawFrameOf({ cameraId, sequence, trueMs: ms, stampMs: ms, arrivedAtMs: ms + delayMs }),
  stampSource: 'file',
});

describe('a frame set', () => {
  const stageOf = (config = {}) => new SyncStage({ cameraIds: ['a', 'b'], rateHz: 10, ...config });
  /** Both cameras, 10 Hz, b 3 ms after a, and what `alter` makes of it. */
  const feed = (
    stage: SyncStage,
    count: number,
    alter: (frame: RawFrame) => RawFrame | undefined,
  ) => {
    const sets: FrameSet[] = [];
    for (let i = 0; i < count; i++) {
      for (const raw of [exact('a', i, i * 100), exact('b', i, i * 100 + 3)]) {
        const frame = alter(raw);
        if (frame !== undefined) sets.push(...stage.push(frame));
      }
    }
    return [...sets, ...stage.close()];
  };

  it('holds the frames of one instant', () => {
    const sets = feed(stageOf(), 10, (frame) => frame);
    expect(sets).toHaveLength(10);
    for (const [i, set] of sets.entries()) {
      expect(set.index).toBe(i);
      expect([...set.frames.values()].map(({ sequence }) => sequence)).toEqual([i, i]);
      expect(set.spreadMs).toBeCloseTo(3, 9);
    }
  });

  it('says of a lost frame that it was dropped, and waits no longer than the next one', () => {
    const stage = stageOf();
    const sets = feed(stage, 10, (frame) =>
      frame.cameraId === 'b' && frame.sequence === 5 ? undefined : frame,
    );
    expect(sets[5]!.missing.get('b')).toBe('dropped');
    expect(sets.filter(({ missing }) => missing.size > 0)).toHaveLength(1);
  });

  it('says of a camera that never came that it has not started, and of one that ended that it ended', () => {
    expect(
      feed(stageOf(), 10, (frame) => (frame.cameraId === 'b' ? undefined : frame))[3]!.missing.get(
        'b',
      ),
    ).toBe('not-started');
    const stage = stageOf();
    const sets: FrameSet[] = [];
    for (let i = 0; i < 10; i++) {
      sets.push(...stage.push(exact('a', i, i * 100)));
      if (i < 5) sets.push(...stage.push(exact('b', i, i * 100)));
      if (i === 5) sets.push(...stage.cameraEnded('b'));
    }
    sets.push(...stage.close());
    expect(sets.map(({ missing }) => missing.get('b'))).toEqual([
      ...Array<undefined>(5).fill(undefined),
      ...Array<string>(5).fill('ended'),
    ]);
  });

  it('names a camera that is being opened again', () => {
    const stage = stageOf();
    const sets: FrameSet[] = [];
    for (let i = 0; i < 12; i++) {
      sets.push(...stage.push(exact('a', i, i * 100)));
      if (i < 6) sets.push(...stage.push(exact('b', i, i * 100)));
      if (i === 6) sets.push(...stage.cameraDisconnected('b'));
    }
    expect(sets.at(-1)!.missing.get('b')).toBe('disconnected');
  });

  it('leaves at its deadline with whoever is there', () => {
    const stage = stageOf({ maxWaitMs: 150 });
    for (let i = 0; i < 6; i++) {
      stage.push(exact('a', i, i * 100));
      stage.push(exact('b', i, i * 100));
    }
    expect(stage.push(exact('a', 6, 600))).toEqual([]);
    const due = stage.nextDeadlineMs;
    expect(due).toBeGreaterThan(700);
    expect(due).toBeLessThanOrEqual(755);
    expect(stage.poll(due - 1)).toEqual([]);
    const [set] = stage.poll(due);
    expect([...set!.frames.keys()]).toEqual(['a']);
    expect(set!.missing.get('b')).toBe('late');
    stage.push(exact('b', 6, 600, 200));
    expect(stage.dropsOf('b')).toEqual({ late: 1 });
  });

  it('takes the nearest frame of a faster camera and counts the others', () => {
    const stage = new SyncStage({ cameraIds: ['slow', 'fast'] });
    const sets: FrameSet[] = [];
    for (let i = 0; i < 60; i++) {
      if (i % 3 === 0) sets.push(...stage.push(exact('slow', i / 3, i * 20)));
      sets.push(...stage.push(exact('fast', i, i * 20)));
    }
    sets.push(...stage.close());
    for (const set of sets.slice(3, -1)) {
      expect(set.missing.size).toBe(0);
      expect(set.spreadMs).toBeLessThan(21);
    }
    const { entered, inSets } = stage.framesOf('fast');
    expect(stage.dropsOf('fast').superseded).toBeGreaterThan(35);
    expect(entered).toBe(60);
    expect(inSets).toBeLessThan(24);
  });

  it('keeps frames outside the tolerance out, and says so', () => {
    const stage = stageOf({ toleranceMs: 10 });
    const sets = feed(stage, 30, (frame) =>
      frame.cameraId === 'b' && frame.sequence === 20 ? exact('b', 20, 2040) : frame,
    );
    expect(sets[20]!.missing.get('b')).toBe('out-of-tolerance');
    expect(stage.dropsOf('b')).toEqual({ 'out-of-tolerance': 1 });
  });

  it('leaves only whole where the policy says so', () => {
    const stage = stageOf({ policy: 'complete' });
    const sets = feed(stage, 10, (frame) =>
      frame.cameraId === 'b' && frame.sequence === 4 ? undefined : frame,
    );
    expect(sets).toHaveLength(9);
    expect(stage.dropsOf('a')).toEqual({ 'incomplete-set': 1 });
  });

  it('drops stamps that are no numbers, repeat, or go back, each under its name', () => {
    const stage = stageOf();
    const more = [exact('a', 3, NaN), exact('a', 3, 200), exact('a', 3, 150)];
    feed(stage, 3, (frame) => frame);
    const other = stageOf();
    for (let i = 0; i < 3; i++) other.push(exact('a', i, i * 100));
    for (const frame of more) other.push({ ...frame, arrivedAtMs: 300 });
    expect(other.dropsOf('a')).toEqual({ 'invalid-stamp': 1, duplicate: 1, 'out-of-order': 1 });
  });

  it('takes nothing more once the stage is closed', () => {
    const stage = stageOf();
    stage.close();
    let closed = false;
    const frame = { ...exact('a', 0, 0), close: () => (closed = true) };
    expect(stage.push(frame as RawFrame)).toEqual([]);
    expect(closed).toBe(true);
    expect(stage.dropsOf('a')).toEqual({ shutdown: 1 });
  });
});

describe('whatever the cameras do', () => {
  const eventArb = fc.oneof(
    fc.record({ kind: fc.constant('step' as const), atMs: fc.nat(8000), byMs: fc.integer({ min: -5000, max: 5000 }) }),
    fc.record({ kind: fc.constant('dead' as const), atMs: fc.nat(5000), untilMs: fc.integer({ min: 5001, max: 9000 }) }),
    fc.record({ kind: fc.constant('burst' as const), atMs: fc.nat(5000), untilMs: fc.integer({ min: 5001, max: 7000 }) }),
    fc.record({
      kind: fc.constant('late' as const), atMs: fc.nat(5000),
      untilMs: fc.integer({ min: 5001, max: 9000 }), byMs: fc.nat(1000),
    }),
    fc.record({ kind: fc.constant('rate' as const), atMs: fc.nat(8000), rateHz: fc.constantFrom(5, 15, 30, 60) }),
  ); // prettier-ignore
  const cameraArb = fc.record({
    rateHz: fc.constantFrom(6, 15, 25, 30),
    freeRunning: fc.boolean(),
    offsetMs: fc.integer({ min: -1e6, max: 1e6 }),
    dropShare: fc.constantFrom(0, 0.02, 0.3),
    duplicateShare: fc.constantFrom(0, 0.1),
    reorderShare: fc.constantFrom(0, 0.1),
    events: fc.array(eventArb, { maxLength: 3 }),
  });
  const settings = fc.record({
    rateHz: fc.constantFrom('auto' as const, 10, 30),
    policy: fc.constantFrom('partial' as const, 'complete' as const),
    maxWaitMs: fc.constantFrom(20, 250),
  });

  it('every frame leaves in one set or is dropped under one reason, and is closed once', () => {
    fc.assert(
      fc.property(
        fc.array(cameraArb, { minLength: 1, maxLength: 4 }),
        settings,
        fc.nat(1000),
        (some, config, seed) => {
          const cameras = some.map((camera, i): SimulatedCamera => ({
          ...rig()[0]!, ...camera, id: `cam${i}`, phaseMs: 7 * i,
        })); // prettier-ignore
          const frames = simulate(cameras, 10_000, seed);
          const closed = new Map<RawFrame, number>();
          const raws = frames.map((frame) => {
            const raw: RawFrame = {
              ...rawFrameOf(frame),
              close: () => void closed.set(raw, (closed.get(raw) ?? 0) + 1),
            };
            return raw;
          });
          const { stage, sets } = runSync(
            raws,
            cameras.map(({ id }) => id),
            config,
          );
          let lastMs = -Infinity;
          for (const [i, { set }] of sets.entries()) {
            expect(set.index).toBe(i);
            expect(set.atMs).toBeGreaterThan(lastMs);
            lastMs = set.atMs;
            for (const [id, frame] of set.frames) expect(frame.cameraId).toBe(id);
            expect(set.frames.size + set.missing.size).toBe(cameras.length);
            if (config.policy === 'complete') expect(set.missing.size).toBe(0);
            set.close();
          }
          expect([...closed.values()].every((count) => count === 1)).toBe(true);
          expect(closed.size).toBe(frames.length);
          for (const { id } of cameras) {
            const { entered, inSets, waiting } = stage.framesOf(id);
            const dropped = Object.values(stage.dropsOf(id)).reduce((a, b) => a + b, 0);
            expect(inSets + waiting + dropped).toBe(entered);
            expect(waiting).toBe(0);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('the same frames give the same sets', () => {
    const tell = () =>
      run(rig({ 1: [{ kind: 'burst', atMs: 3000, untilMs: 3500 }] }, true), 8000).sets.map(({ set, leftAtMs }) => [
        set.atMs, leftAtMs, [...set.frames.values()].map(({ sequence, capturedAtMs }) => [sequence, capturedAtMs]),
      ]); // prettier-ignore
    expect(tell()).toEqual(tell());
  });

  it('no more than a bounded number of frames waits', () => {
    const stage = new SyncStage({ cameraIds: ['a', 'b'], maxWaitMs: 10_000 });
    for (let i = 0; i < 2000; i++)
      stage.push(
        rawFrameOf({
          cameraId: 'a',
          sequence: i,
          trueMs: i * 4,
          stampMs: i * 4,
          arrivedAtMs: i * 4 + 5,
        }),
      );
    expect(stage.framesOf('a').waiting).toBeLessThanOrEqual(48);
  });
});

describeWithData('the real rigs', () => {
  it.each(['4_cam_recording', 'charuco_calibration'])(
    '%s has all four cameras in nearly all of its sets',
    async (name) => {
      const ids = ['cam_0', 'cam_1', 'cam_2', 'cam_3'];
      const frames: RawFrame[] = [];
      for (const id of ids) {
        const times = await readTimestamps(
          sharedData('caliscope', name, `${id}.timestamps.csv`),
          'timestamps',
        );
        times.forEach((ms, i) => frames.push(exact(id, i, ms, 0)));
      }
      frames.sort((a, b) => a.arrivedAtMs - b.arrivedAtMs);
      const { sets } = runSync(frames, ids);
      const complete = sets.filter(({ set }) => set.missing.size === 0);
      expect(complete.length / sets.length).toBeGreaterThanOrEqual(0.95);
      expect(complete.length).toBeGreaterThanOrEqual(frames.length / 4 - 2);
      const spreads = complete.map(({ set }) => set.spreadMs).sort((a, b) => a - b);
      expect(spreads[Math.floor(spreads.length * 0.95)]).toBeLessThan(40);
    },
  );
});
