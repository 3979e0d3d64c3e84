import { describe, expect, it } from 'vitest';
import type { SimulatedEvent } from '../../../runtime/sync/simulate.js';
import { rig, run } from './streams.js';

const MAX_WAIT_MS = 250;

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
  it.each([2000, -2000, 400, -400, 100, -100, 50, -50, 21, -21, 12, -12])(
    'by %i ms is followed within a second, counted, and leaves no set wrong',
    (byMs) => {
      const { sets, ids, stage, trueMs } = run(
        rig({ 0: [{ kind: 'step', atMs: 15_000, byMs }] }),
        30_000,
      );
      const after = sets.filter(({ set }) => set.atMs > 15_500 && set.frames.has(ids[0]!));
      expect(after.length).toBeGreaterThan(395);
      for (const { set } of after) {
        const frame = set.frames.get(ids[0]!)!;
        expect(Math.abs(frame.capturedAtMs - trueMs(frame))).toBeLessThan(8);
      }
      expect(stage.stepsOf(ids[0]!)).toBe(1);
      expect(stage.dropsOf(ids[0]!)['clock-step']).toBeGreaterThan(0);
      for (const { set } of sets) {
        const times = [...set.frames.values()].map(trueMs);
        expect(Math.max(...times) - Math.min(...times)).toBeLessThan(1000 / 60);
      }
    },
  );

  it('again and again, on every camera, is counted each time', () => {
    const steps = (camera: number): SimulatedEvent[] =>
      Array.from({ length: 8 }, (_, i) => ({
        kind: 'step', atMs: 8000 + 700 * camera + 6000 * i, byMs: [1900, -1300, 350, -90][(i + camera) % 4]!,
      })); // prettier-ignore
    const cameras = rig({ 0: steps(0), 1: steps(1), 2: steps(2), 3: steps(3) });
    const { sets, ids, stage, trueMs } = run(cameras, 60_000);
    for (const id of ids) expect(stage.stepsOf(id)).toBe(8);
    for (const { set } of sets) {
      const times = [...set.frames.values()].map(trueMs);
      expect(Math.max(...times) - Math.min(...times)).toBeLessThan(1000 / 60);
    }
  });
});

describe('a clock set forward by whole periods', () => {
  it('is found by a frame that comes too early, and takes with it those that hid it', () => {
    let wrong = 0;
    for (const periods of [1, 2, 3, 6]) {
      for (const camera of [0, 1, 2]) {
        const step: SimulatedEvent = { kind: 'step', atMs: 9000, byMs: (periods * 1000) / 30 };
        const { sets, ids, stage, trueMs } = run(rig({ [camera]: [step] }), 12_000);
        expect(stage.stepsOf(ids[camera]!)).toBe(1);
        for (const { set } of sets) {
          const times = [...set.frames.values()].map(trueMs);
          if (Math.max(...times) - Math.min(...times) > 1000 / 60) wrong++;
        }
      }
    }
    expect(wrong).toBe(0);
  });
});

describe('frames that are overtaken', () => {
  it('take their place in sets that are still open', () => {
    const cameras = rig().map((camera) => ({ ...camera, reorderShare: 0.05, dropShare: 0 }));
    const { sets, stage, ids } = run(cameras, 60_000);
    const complete = sets.filter(({ set }) => set.missing.size === 0).length;
    expect(complete / sets.length).toBeGreaterThan(0.98);
    for (const id of ids) {
      const { late = 0, ...others } = stage.dropsOf(id);
      expect(late + (others['out-of-order'] ?? 0)).toBeLessThan(20);
      expect(stage.stepsOf(id)).toBe(0);
    }
    const order = sets.map(({ set }) => set.frames.get(ids[0]!)?.stampMs ?? NaN);
    const known = order.filter((ms) => !Number.isNaN(ms));
    expect(known).toEqual(known.toSorted((a, b) => a - b));
  });
});

describe('a camera that changes its rate', () => {
  it('slows the sets down, complete all the while', () => {
    const { sets } = run(rig({ 3: [{ kind: 'rate', atMs: 10_000, rateHz: 15 }] }), 20_000);
    const after = sets.filter(({ set }) => set.atMs > 12_000 && set.atMs < 19_000);
    expect(after.length).toBeGreaterThan(100);
    expect(after.length).toBeLessThan(110);
  });
});
