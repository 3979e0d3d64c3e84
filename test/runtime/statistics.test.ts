import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rate, Window } from '../../runtime/statistics.js';

describe('a window of numbers', () => {
  it('has percentiles that are members with at least their share below or at them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 40 }),
        (values) => {
          const window = new Window(64);
          for (const value of values) window.push(value);
          const { p50, p95 } = window.percentiles;
          expect(values).toContain(p50);
          expect(values.filter((value) => value <= p50).length).toBeGreaterThanOrEqual(
            values.length / 2,
          );
          expect(values.filter((value) => value <= p95).length).toBeGreaterThanOrEqual(
            values.length * 0.95,
          );
        },
      ),
    );
  });

  it('forgets what is older than its capacity', () => {
    const window = new Window(4);
    for (const value of [900, 900, 1, 2, 3, 4]) window.push(value);
    expect(window.percentiles.p95).toBe(4);
  });
});

describe('a rate', () => {
  it('counts events a second, and nothing after a silence', () => {
    const rate = new Rate(2000);
    for (let at = 0; at <= 4000; at += 100) rate.count(at);
    expect(rate.perSecond(4000)).toBeCloseTo(10, 0);
    expect(rate.perSecond(9000)).toBe(0);
  });
});
