import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LowerEnvelope } from '../../../runtime/sync/envelope.js';
import { Ticker } from '../../../runtime/sync/ticker.js';

const STEEPEST = 500e-6;

/** One point a block, so that the envelope keeps every one of them. */
function fitOf(ys: number[]) {
  const envelope = new LowerEnvelope();
  for (const [i, y] of ys.entries()) envelope.push(i * 500, y, 0);
  envelope.push(ys.length * 500, 1e9, 0);
  return envelope.fit(STEEPEST)!;
}

const points = fc.array(fc.double({ min: 0, max: 0.5, noNaN: true }), {
  minLength: 3,
  maxLength: 50,
});

describe('the lower envelope', () => {
  it('lies under every point', () => {
    fc.assert(
      fc.property(points, (ys) => {
        const { value, slope, x } = fitOf(ys);
        for (const [i, y] of ys.entries()) {
          expect(value + slope * (i * 500 - x)).toBeLessThanOrEqual(y + 1e-9);
        }
      }),
    );
  });

  it('lies no further under them than any other line that does', () => {
    fc.assert(
      fc.property(
        points,
        fc.double({ min: -STEEPEST, max: STEEPEST, noNaN: true }),
        (ys, slope) => {
          const mean = (line: { value: number; slope: number; x: number }): number =>
            ys.reduce((sum, y, i) => sum + y - line.value - line.slope * (i * 500 - line.x), 0) /
            ys.length;
          const other = { slope, x: 0, value: Math.min(...ys.map((y, i) => y - slope * i * 500)) };
          const fit = fitOf(ys);
          // Held to ± STEEPEST, the fit is best among the lines that are not steeper.
          if (Math.abs(fit.slope) < STEEPEST)
            expect(mean(fit)).toBeLessThanOrEqual(mean(other) + 1e-9);
          expect(fit.excess).toBeCloseTo(mean(fit), 9);
        },
      ),
    );
  });

  it('finds a clock that drifts under a heavy tail of delays', () => {
    const envelope = new LowerEnvelope();
    for (let i = 0; i < 900; i++) {
      const delay = 40 * ((i * 7919) % 97 === 0 ? 0 : ((i * 104_729) % 1000) / 1000) ** 2;
      envelope.push(i * 33, 12 + i * 33 * 120e-6 + delay, 120e-6);
    }
    const { slope, value, x } = envelope.fit(STEEPEST)!;
    expect(slope * 1e6).toBeCloseTo(120, 0);
    expect(value).toBeCloseTo(12 + x * 120e-6, 1);
  });
});

describe('ticks', () => {
  const phase = fc.double({ min: -0.5, max: 0.5, noNaN: true });

  it('put the border between sets into the widest gap between the cameras', () => {
    fc.assert(
      fc.property(fc.array(phase, { minLength: 1, maxLength: 8 }), (phases) => {
        const period = 100;
        const ticker = new Ticker();
        const captures = phases.map((share) => 1000 + share * period);
        ticker.start(captures, period);
        const distances = captures.map((ms) => {
          const apart = Math.abs(ms - ticker.atMs - period / 2) % period;
          return Math.min(apart, period - apart);
        });
        const sorted = captures.map((ms) => ms % period).sort((a, b) => a - b);
        const gaps = sorted.map((ms, i) => (sorted[i + 1] ?? sorted[0]! + period) - ms);
        expect(Math.min(...distances)).toBeCloseTo(Math.max(...gaps) / 2, 6);
        expect(Math.min(...captures)).toBeGreaterThanOrEqual(ticker.atMs - period / 2 - 1e-6);
      }),
    );
  });

  it('never go back, and never come sooner than three quarters of a period', () => {
    fc.assert(
      fc.property(fc.array(fc.array(phase, { maxLength: 5 }), { minLength: 1, maxLength: 20 }), (rounds) => {
        const ticker = new Ticker();
        ticker.start([0], 40);
        for (const phases of rounds) {
          const before = ticker.atMs;
          ticker.advance(phases.map((share) => share * 40), 40);
          expect(ticker.atMs - before).toBeGreaterThanOrEqual(30);
          expect(ticker.atMs - before).toBeLessThanOrEqual(80);
        }
      }),
    ); // prettier-ignore
  });
});
