import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RawFrame } from '../../../core/types.js';
import { SyncStage } from '../../../runtime/sync/index.js';
import { runSync } from '../../../runtime/sync/measure.js';
import { rawFrameOf, simulate, type SimulatedCamera } from '../../../runtime/sync/simulate.js';
import { rig, run } from './streams.js';

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
