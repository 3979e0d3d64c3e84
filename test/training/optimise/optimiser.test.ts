import { describe, expect, it } from 'vitest';
import {
  adamW,
  cosineSchedule,
  momentumSgd,
  type Optimiser,
} from '../../../training/optimise/optimiser.js';

const SLOTS = [
  { name: 'kernel', shape: [2], offset: 0, length: 2, decays: true },
  { name: 'bias', shape: [1], offset: 2, length: 1, decays: false },
];

function walk(
  optimiser: Optimiser,
  start: number[],
  gradients: number[][],
  learningRate: number,
): number[] {
  const parameters = Float32Array.from(start);
  const state = optimiser.init(start.length);
  gradients.forEach((gradient, step) =>
    optimiser.update(parameters, Float32Array.from(gradient), state, {
      step,
      learningRate,
      slots: SLOTS,
    }),
  );
  return [...parameters];
}

function expectNear(actual: number[], expected: number[]): void {
  actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
}

describe('optimisers', () => {
  it('AdamW takes its first steps by hand', () => {
    const adam = adamW({ beta1: 0.9, beta2: 0.99, epsilon: 0, weightDecay: 0.5 });
    // First step: m̂ = g, v̂ = g²: exactly the sign of the gradient; kernels also shrink by lr · decay.
    const first = [1 - 0.1 - 0.05, 2 + 0.1 - 0.1, 3 - 0.1];
    expectNear(walk(adam, [1, 2, 3], [[4, -7, 0.01]], 0.1), first);
    // Second with gradient (−4, …): m̂ = (0.36 − 0.4)/0.19, v̂ = 16: −0.2105/4.
    const second = walk(adam, [1, 2, 3], [[4, -7, 0.01], [-4, 0, 0.01]], 0.1); // prettier-ignore
    expect(second[0]).toBeCloseTo(0.85 + 0.1 * (0.04 / 0.19 / 4) - 0.05 * 0.85, 5);
    expect(second[2]).toBeCloseTo(2.8, 5);
  });

  it('momentum adds up, and leaves biases undecayed', () => {
    const sgd = momentumSgd({ momentum: 0.5, weightDecay: 0.1 });
    expectNear(walk(sgd, [1, 0, 1], [[1, 0, 1], [0, 0, 0]], 1), [
      1 - 1.1 - (0.55 + 0.1 * -0.1), 0, 1 - 1 - 0.5,
    ]); // prettier-ignore
  });

  it('layer-wise trust makes a step in proportion to the weights, whatever the gradient’s scale', () => {
    const lars = momentumSgd({ momentum: 0, weightDecay: 0, trust: 0.1 });
    const small = walk(lars, [3, 4, 0], [[0.001, 0, 0]], 1);
    const large = walk(lars, [3, 4, 0], [[1000, 0, 0]], 1);
    expectNear(small, [3 - 0.5, 4, 0]);
    expectNear(large, small);
  });

  it('the schedule warms up, peaks and ends at zero', () => {
    const rates = [0, 9, 10, 60, 110].map((step) => cosineSchedule(step, 110, 10, 2));
    expectNear(rates, [0.2, 2, 2, 1, 0]);
  });
});
