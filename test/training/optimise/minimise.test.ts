import { describe, expect, it } from 'vitest';
import { minimise } from '../../../training/optimise/minimise.js';

describe('the smallest value of a function', () => {
  it('is found in a curved valley', () => {
    // Rosenbrock 1960, in four dimensions: 0 at (1, 1, 1, 1).
    const valley = (x: Float64Array, gradient: Float64Array): number => {
      let value = 0;
      for (let i = 0; i + 1 < x.length; i++) {
        const [a, b] = [x[i + 1]! - x[i]! ** 2, 1 - x[i]!];
        value += 100 * a * a + b * b;
        gradient[i]! += -400 * a * x[i]! - 2 * b;
        gradient[i + 1]! += 200 * a;
      }
      return value;
    };
    const start = Float64Array.of(-1.2, 1, -1.2, 1);
    const found = minimise(valley, start, 1e-8);
    for (const value of found) expect(value).toBeCloseTo(1, 6);
    expect([...start]).toEqual([-1.2, 1, -1.2, 1]);
  });

  it('stays where it is already, and ends where nothing is steep', () => {
    const flat = (): number => 3;
    expect([...minimise(flat, Float64Array.of(2, 5))]).toEqual([2, 5]);
  });
});
