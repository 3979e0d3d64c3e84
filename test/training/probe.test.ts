import { describe, expect, it } from 'vitest';
import { Random } from '../../encoder/random.js';
import { bestTemperature } from '../../training/calibrate.js';
import { fitLogistic, type LogisticProblem } from '../../training/logistic.js';
import { crossValidate, fitLinearProbe, foldsOf, type ProbeExample } from '../../training/probe.js';
import { argmax } from '../../training/metrics.js';

/** Two labels along the first dimension, a person's own offset along the second. */
function examples(people: number, each: number, apart: number): ProbeExample[] {
  const random = new Random(5);
  return Array.from({ length: people * each }, (_, i) => {
    const [person, label] = [Math.floor(i / each), i % 2];
    return {
      personId: `p${person}`,
      label,
      vector: Float32Array.from([
        (label === 0 ? -apart : apart) + random.normal(),
        person + 0.01 * random.normal(),
        random.normal(),
      ]),
    };
  });
}

/** Log loss and penalty, written out plainly. */
function lossOf(
  { labels, width, inputs, labelOf, weights, penalty }: LogisticProblem,
  at: Float64Array,
): number {
  let loss = 0;
  labelOf.forEach((label, n) => {
    const scores = Array.from({ length: labels }, (_, c) => {
      let sum = at[c * (width + 1) + width]!;
      for (let d = 0; d < width; d++) sum += at[c * (width + 1) + d]! * inputs[n * width + d]!;
      return sum;
    });
    loss += weights[n]! * (Math.log(scores.reduce((sum, s) => sum + Math.exp(s), 0)) - scores[label]!);
  });
  at.forEach((value, i) => (loss += i % (width + 1) === width ? 0 : (penalty / 2) * value * value));
  return loss;
} // prettier-ignore

/**
 * Iteratively reweighted least squares for P(label 1): two rows of weights w and −w with penalty λ
 * are one row 2w with λ / 2.
 */
function newton(all: readonly ProbeExample[], penalty: number): (vector: Float32Array) => number {
  const width = all[0]!.vector.length;
  const moments = Array.from({ length: width }, (_, d) => {
    const mean = all.reduce((sum, { vector }) => sum + vector[d]!, 0) / all.length;
    const square = all.reduce((sum, { vector }) => sum + vector[d]! ** 2, 0) / all.length;
    return { mean, deviation: Math.sqrt(square - mean ** 2) };
  });
  const row = (vector: Float32Array): number[] => [
    ...moments.map(({ mean, deviation }, d) => (vector[d]! - mean) / deviation),
    1,
  ];
  let w = new Array<number>(width + 1).fill(0);
  const probability = (x: readonly number[]): number =>
    1 / (1 + Math.exp(-x.reduce((sum, value, i) => sum + value * w[i]!, 0)));
  for (let round = 0; round < 30; round++) {
    const gradient = w.map((value, i) => (i === width ? 0 : (penalty / 2) * value));
    const hessian = w.map((_, i) => w.map((_, j) => (i === j && i < width ? penalty / 2 : 0)));
    for (const { vector, label } of all) {
      const x = row(vector);
      const p = probability(x);
      x.forEach((a, i) => {
        gradient[i]! += (p - label) * a;
        x.forEach((b, j) => (hessian[i]![j]! += p * (1 - p) * a * b));
      });
    }
    const step = solve(hessian, gradient);
    w = w.map((value, i) => value - step[i]!);
  }
  return (vector) => probability(row(vector));
}

/** Gauss's elimination. */
function solve(matrix: number[][], right: number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  rows.forEach((pivot, i) => {
    for (const other of rows.filter((_, j) => j !== i)) {
      const factor = other[i]! / pivot[i]!;
      other.forEach((value, k) => (other[k] = value - factor * pivot[k]!));
    }
  });
  return rows.map((row, i) => row.at(-1)! / row[i]!);
}

describe('a linear probe', () => {
  it('finds the plane between two labels', () => {
    const all = examples(10, 20, 2);
    const probe = fitLinearProbe(all, { labels: 2 });
    const right = all.filter(({ vector, label }) => argmax(probe.predict(vector)) === label).length;
    expect(right / all.length).toBeGreaterThan(0.95);
    const odds = probe.predict(Float32Array.from([3, 4.5, 0]));
    expect(odds[0]! + odds[1]!).toBeCloseTo(1, 10);
    expect(odds[1]!).toBeGreaterThan(0.95);
  });

  it('ends at the optimum that Newton’s method finds for two labels', () => {
    const all = examples(6, 10, 0.5);
    for (const penalty of [0.5, 10]) {
      const probe = fitLinearProbe(all, { labels: 2, penalty, balanced: false });
      const expected = newton(all, penalty);
      for (const { vector } of all) {
        expect(probe.predict(vector)[1]!).toBeCloseTo(expected(vector), 5);
      }
    }
  });

  it('has no slope left in any direction, for more labels than two', () => {
    const random = new Random(8);
    const [n, labels, width] = [60, 4, 5];
    const problem = {
      labels, width, penalty: 0.02,
      inputs: Float64Array.from({ length: n * width }, () => random.normal()),
      labelOf: Array.from({ length: n }, () => random.integer(labels)),
      weights: new Float64Array(n).fill(1 / n),
    }; // prettier-ignore
    const best = fitLogistic(problem);
    const elsewhere = fitLogistic(problem, best.map(() => random.normal())); // prettier-ignore
    for (let i = 0; i < best.length; i++) {
      const [up, down] = [best.slice(), best.slice()];
      up[i]! += 1e-4;
      down[i]! -= 1e-4;
      expect((lossOf(problem, up) - lossOf(problem, down)) / 2e-4).toBeCloseTo(0, 5);
      // Biases may all move together.
      if (i % (width + 1) !== width) expect(elsewhere[i]!).toBeCloseTo(best[i]!, 3);
    }
  });

  it('chooses a strong penalty where the vectors say nothing, a weak one where they say all', () => {
    const penaltyAt = (apart: number): number =>
      fitLinearProbe(examples(10, 20, apart), { labels: 2 }).penalty;
    expect(penaltyAt(0)).toBeGreaterThanOrEqual(300);
    expect(penaltyAt(4)).toBeLessThanOrEqual(30);
  });

  it('gives a rare label the same say where balanced', () => {
    const all = examples(10, 20, 0.3).filter(({ label }, i) => label === 0 || i % 10 === 1);
    const share = (balanced: boolean): number => {
      const probe = fitLinearProbe(all, { labels: 2, balanced });
      return all.filter(({ vector }) => argmax(probe.predict(vector)) === 1).length / all.length;
    };
    expect(share(true)).toBeGreaterThan(share(false) + 0.1);
  });

  it('is judged on people it never saw', () => {
    const all = examples(8, 6, 2);
    const folds = foldsOf(
      all.map(({ personId }) => personId),
      4,
      1,
    );
    for (const personId of new Set(all.map((one) => one.personId))) {
      expect(new Set(folds.filter((_, i) => all[i]!.personId === personId)).size).toBe(1);
    }
    expect([0, 1, 2, 3].map((fold) => folds.filter((one) => one === fold).length)).toEqual([
      12, 12, 12, 12,
    ]);
    const predicted = crossValidate(all, folds, { labels: 2 });
    expect(
      predicted.filter((p, i) => argmax(p) === all[i]!.label).length / all.length,
    ).toBeGreaterThan(0.9);
  });

  it('deals single pictures out only where the leaky protocol is asked for by name', () => {
    const people = Array.from({ length: 40 }, (_, i) => `p${Math.floor(i / 20)}`);
    const leaky = foldsOf(people, 10, 1, 'leaky-random-images');
    expect([...new Set(leaky)]).toHaveLength(10);
    expect(() => foldsOf(people, 10, 1)).toThrow(/as many people as folds.*2 to 2/);
  });
});

describe('a temperature', () => {
  it('undoes logits that were scaled by it', () => {
    const random = new Random(3);
    const drawn = Array.from({ length: 4000 }, () => {
      const logit = 2 * random.normal();
      return {
        label: random.uniform() < 1 / (1 + Math.exp(-logit)) ? 0 : 1,
        logits: [3 * logit, 0],
      };
    });
    expect(bestTemperature(drawn)).toBeGreaterThan(2.7);
    expect(bestTemperature(drawn)).toBeLessThan(3.3);
  });
});
