import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rhythm } from '../../../runtime/sync/rhythm.js';

/** Stamps of a camera; `offMs` says how far each is from its beat, NaN that it was lost. */
function rhythmOf(periodMs: number, offMs: readonly number[]): Rhythm {
  const rhythm = new Rhythm();
  for (const [i, off] of offMs.entries()) {
    if (!Number.isNaN(off)) rhythm.push(500 + i * periodMs + off);
  }
  return rhythm;
}

describe("a camera's rhythm", () => {
  /** In shares of the period: even the worst case leaves intervals within a tenth of one another. */
  const jitter = fc.double({ min: -0.02, max: 0.02, noNaN: true });
  /** Every other frame lost would be another rate: three at least come between two losses. */
  const kept = fc.array(jitter, { minLength: 3, maxLength: 20 });

  it('is found through jitter and losses', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 8, max: 200, noNaN: true }),
        fc.array(kept, { minLength: 25, maxLength: 40 }),
        (periodMs, runs) => {
          const shares = runs.flatMap((run) => [...run, NaN]);
          const rhythm = rhythmOf(periodMs, [
            ...shares.map((share) => Math.max(-1, Math.min(1, share * periodMs))),
            0,
          ]);
          expect(Math.abs(rhythm.periodMs - periodMs)).toBeLessThan(0.1);
          const { beats, offMs } = rhythm.place(500 + (shares.length + 3) * periodMs)!;
          expect(beats).toBe(3);
          expect(Math.abs(offMs)).toBeLessThan(1.5);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('says how far off a stamp is, to a fraction of its jitter', () => {
    const rhythm = rhythmOf(
      33,
      Array.from({ length: 100 }, (_, i) => ((i * 7) % 11) / 10 - 0.5),
    );
    expect(rhythm.place(500 + 100 * 33 + 12)!.offMs).toBeCloseTo(12, 0);
    expect(rhythm.toleranceMs).toBeLessThan(5);
  });

  it('follows another rate within some frames', () => {
    const rhythm = rhythmOf(33, Array<number>(60).fill(0));
    for (let i = 0; i < 20; i++) rhythm.push(500 + 59 * 33 + 50 * (i + 1));
    expect(rhythm.periodMs).toBeCloseTo(50, 6);
  });

  it('is not told after a long pause', () => {
    expect(rhythmOf(33, Array<number>(60).fill(0)).place(10_000)).toBeUndefined();
  });
});
