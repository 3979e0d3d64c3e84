import { describe, expect, it } from 'vitest';
import { Random } from '../../encoder/random.js';
import { bestTemperature } from '../../training/calibrate.js';
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

  it('meets the optimum’s condition: gradient and penalty cancel', () => {
    const all = examples(6, 10, 0.5);
    const [a, b] = [
      fitLinearProbe(all, { labels: 2, steps: 2000 }),
      fitLinearProbe(all, { labels: 2, steps: 4000 }),
    ];
    for (const { vector } of all)
      expect(a.predict(vector)[0]!).toBeCloseTo(b.predict(vector)[0]!, 4);
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
