import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { selectBackend } from '../../encoder/backend/backend.js';
import type { Tensors } from '../../encoder/formats/tfjs.js';
import { softmax, VIEW_FEATURES } from '../../encoder/fusion.js';
import { Random } from '../../encoder/random.js';
import type { BatchTruth } from '../../training/batch.js';
import { jensenShannon } from '../../training/metrics.js';
import { disagreement, objective } from '../../training/objective.js';
import { parseRecipe } from '../../training/recipe.js';

const LABELS = 3;
const logit = fc.double({ min: -8, max: 8, noNaN: true });
/** Groups of one to four views, each with a weight. */
const someGroups = fc.array(
  fc.record({
    weight: fc.double({ min: 0.1, max: 2, noNaN: true }),
    views: fc.array(fc.array(logit, { minLength: LABELS, maxLength: LABELS }), {
      minLength: 1,
      maxLength: 4,
    }),
  }),
  { minLength: 1, maxLength: 5 },
);
type Groups = readonly { readonly weight: number; readonly views: readonly number[][] }[];

const truthOf = (groups: Groups) => ({
  groupOf: groups.flatMap(({ views }, g) => views.map(() => g)),
  weights: groups.map(({ weight }) => weight),
});
const expected = (groups: Groups): number => {
  const total = groups.reduce((sum, { weight }) => sum + weight, 0);
  const parts = groups.map(({ weight, views }) => weight * jensenShannon(views.map(softmax)));
  return parts.reduce((sum, part) => sum + part, 0) / total;
};

describe.each(['cpu', 'wasm'] as const)('the disagreement of views on %s', (backend) => {
  beforeAll(() => selectBackend(backend));

  it('is the mean Jensen–Shannon divergence of the groups by their weights', () => {
    fc.assert(
      fc.property(someGroups, (groups) => {
        const rows = groups.flatMap(({ views }) => views);
        const value = tf.tidy(
          () => disagreement(tf.tensor2d(rows), truthOf(groups)).dataSync()[0]!,
        );
        expect(value).toBeCloseTo(expected(groups), 5);
      }),
    );
  });

  it('has the gradient that finite differences give', () => {
    const groups: Groups = [
      { weight: 1, views: [[0.3, -1, 2], [1.2, 0.4, -0.7], [-0.2, 0.9, 0.1]] },
      { weight: 0.5, views: [[2, -2, 0]] },
      { weight: 2, views: [[-1.5, 0.2, 0.6], [0.8, -0.3, 1.1]] },
    ]; // prettier-ignore
    const rows = groups.flatMap(({ views }) => views);
    const gradient = tf
      .grad((logits) => disagreement(logits as tf.Tensor2D, truthOf(groups)))(tf.tensor2d(rows))
      .arraySync() as number[][];
    const step = 1e-4;
    const moved = (view: number[], label: number, by: number): Groups =>
      groups.map(({ weight, views }) => ({
        weight,
        views: views.map((one) =>
          one === view ? one.map((value, l) => (l === label ? value + by : value)) : one,
        ),
      }));
    rows.forEach((view, row) =>
      view.forEach((_, label) => {
        const slope =
          (expected(moved(view, label, step)) - expected(moved(view, label, -step))) / (2 * step);
        expect(gradient[row]![label]).toBeCloseTo(slope, 5);
      }),
    );
  });

  it('weighs in fine-tuning what the recipe says, and in pre-training nothing', () => {
    const settings = { head: { prototypesPerLabel: 1 }, geometry: false };
    const loss = (recipe: object): number =>
      tf.tidy(() => {
        const { tensors, batch, pixels } = smallBatch();
        const { loss } = objective(pixels, { tensors, batch, recipe: parseRecipe(recipe) });
        return loss.dataSync()[0]!;
      });
    const fine = (agreement: number): number =>
      loss({ ...settings, stage: 'finetune', head: { ...settings.head, agreement } });
    const weighed = fine(1) - fine(0);
    expect(weighed).toBeGreaterThan(0.01);
    expect(fine(3) - fine(0)).toBeCloseTo(3 * weighed, 4);
    const before = { ...settings, stage: 'pretrain' };
    expect(loss({ ...before, head: { ...settings.head, agreement: 3 } })).toBe(loss(before));
  });
});

/** Two groups of two views that look different, three labels. */
function smallBatch(): { tensors: Tensors; batch: BatchTruth; pixels: tf.Tensor2D } {
  const random = new Random(3);
  const drawn = (...shape: number[]): tf.Tensor => {
    const count = shape.reduce((product, length) => product * length, 1);
    return tf.tensor(Array.from({ length: count }, () => random.normal()), shape); // prettier-ignore
  };
  const [rows, width] = [4, 8];
  const tensors = new Map([
    ['projection.a', drawn(width, 6)],
    ['projection.a_bias', drawn(6)],
    ['projection.b', drawn(6, 5)],
    ['head.prototypes', drawn(LABELS, width)],
    ['head.query', drawn(width)],
    ['head.viewBias', drawn(VIEW_FEATURES)],
  ]);
  const pixels = drawn(rows, width);
  const batch: BatchTruth = {
    rows,
    features: new Float32Array(rows * VIEW_FEATURES),
    geometry: new Float32Array(),
    groupOf: [0, 0, 1, 1],
    labels: [0, 2],
    weights: [1, 1],
    shapes: [undefined, undefined],
    frontal: [undefined, undefined],
    blendshapes: new Float32Array(),
    fused: [true, true, true, true],
  };
  return { tensors, batch, pixels: tf.div(pixels, tf.norm(pixels, 2, 1, true)) };
}
