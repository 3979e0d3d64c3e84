import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameTimes, NO_FAULTS, randomFaults } from '../../../training/scene/faults.js';

describe('injected clock faults', () => {
  it('leave a perfect camera perfect', () => {
    const frames = frameTimes(NO_FAULTS, 1000, 1000, 10, 'a');
    expect(frames).toHaveLength(10);
    frames.forEach((frame, i) => {
      expect(frame.trueCapturedAtMs).toBeCloseTo(1000 + 100 * i, 6);
      expect(frame.stampMs).toBeCloseTo(100 * i, 6);
      expect(frame.sequence).toBe(i);
    });
  });

  it('never deliver a frame before it was taken, nor out of order', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 5, max: 60 }), (seed, fps) => {
        const frames = frameTimes(randomFaults(seed, fps), 500, 4000, fps, seed);
        frames.forEach((frame, i) => {
          expect(frame.arrivedAtMs).toBeGreaterThan(frame.trueCapturedAtMs);
          if (i > 0) expect(frame.arrivedAtMs).toBeGreaterThan(frames[i - 1]!.arrivedAtMs);
        });
      }),
      { numRuns: 30 },
    );
  });

  it('drift as much as they say', () => {
    const faults = { ...NO_FAULTS, driftPpm: 500, offsetMs: 77 };
    const last = frameTimes(faults, 0, 100_000, 30, 'x').at(-1)!;
    expect(last.stampMs - 77 - last.trueCapturedAtMs).toBeCloseTo(
      last.trueCapturedAtMs * 500e-6,
      6,
    );
  });

  it('drop the share of frames they say', () => {
    const frames = frameTimes({ ...NO_FAULTS, dropped: 0.25 }, 0, 100_000, 40, 'y');
    expect(frames.length / 4000).toBeGreaterThan(0.72);
    expect(frames.length / 4000).toBeLessThan(0.78);
  });
});
