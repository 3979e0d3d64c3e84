import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { selectBackend } from '../../encoder/backend/backend.js';
import type { Tensors } from '../../encoder/formats/tfjs.js';
import { softmax, VIEW_FEATURES } from '../../encoder/fusion.js';
import { GEOMETRY_FEATURES } from '../../encoder/geometry.js';
import { Random } from '../../encoder/random.js';
import type { BatchTruth } from '../../training/batch.js';
import { createLearner, toNetwork } from '../../training/learner.js';
import { jensenShannon } from '../../training/metrics.js';
import { disagreement, objective } from '../../training/objective.js';
import { parseRecipe } from '../../training/recipe.js';

const LABELS = 3;
/** Numbers of an embedding that landmarks make. */
const GEOMETRY = 6;
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

describe('the landmarks in an embedding', () => {
  beforeAll(() => selectBackend('cpu'));

  it('have the share of its squared length that the recipe gives them', () => {
    for (const geometryShare of [0.2, 0.75]) {
      const recipe = parseRecipe({
        stage: 'finetune',
        head: { prototypesPerLabel: 1 },
        geometryShare,
      });
      const lossOf = (pixels: tf.Tensor2D, tensors: Tensors, batch: BatchTruth): number =>
        objective(pixels, { tensors, batch, recipe }).loss.dataSync()[0]!;
      const [joined, expected] = tf.tidy(() => {
        const { tensors, batch, pixels } = smallBatch(GEOMETRY);
        const random = new Random(9);
        const [hidden, project] = [
          [GEOMETRY_FEATURES, 5],
          [5, GEOMETRY],
        ].map(([from, to]) => tf.randomNormal<tf.Rank.R2>([from!, to!], 0, 0.3, 'float32', 7));
        const geometry = Float32Array.from({ length: batch.rows * GEOMETRY_FEATURES }, () => random.normal()); // prettier-ignore
        const withStream = new Map([
          ...tensors,
          ['geometry.hidden.kernel', hidden!], ['geometry.hidden.bias', tf.zeros([5])],
          ['geometry.project.kernel', project!], ['geometry.project.bias', tf.zeros([GEOMETRY])],
        ] as [string, tf.Tensor][]); // prettier-ignore
        const features = tf.tensor2d(geometry, [batch.rows, GEOMETRY_FEATURES]);
        const bent = tf.matMul(tf.relu(tf.matMul(features, hidden!)), project!);
        const unit = tf.div(bent, tf.norm(bent, 2, 1, true));
        const byHand = tf.concat2d(
          [tf.mul(pixels, Math.sqrt(1 - geometryShare)), tf.mul(unit, Math.sqrt(geometryShare))] as tf.Tensor2D[], 1,
        ); // prettier-ignore
        return [lossOf(pixels, withStream, { ...batch, geometry }), lossOf(byHand, tensors, batch)];
      });
      expect(joined).toBeCloseTo(expected, 5);
    }
  });

  it('keep that share in the network that is exported', () => {
    const recipe = parseRecipe({ stage: 'finetune', geometryShare: 0.35 });
    const learner = createLearner(recipe, ['a', 'b'], { shapes: 0, blendshapes: 0, frontal: 0 });
    const some = (length: number) => ({ shape: [length], data: new Float32Array(length) });
    const frame = { reference: some(3), mean: some(GEOMETRY_FEATURES), deviation: some(GEOMETRY_FEATURES) }; // prettier-ignore
    const { geometry } = toNetwork(learner, recipe, learner.initial, learner.encoder.initialStatistics, frame); // prettier-ignore
    expect(geometry!.share).toBe(0.35);
  });

  it('are refused all of it or none: then one of the streams would be idle', () => {
    for (const geometryShare of [0, 1])
      expect(() => parseRecipe({ stage: 'finetune', geometryShare })).toThrow(/geometryShare/);
  });
});

/** Two groups of two views that look different, three labels. @param more numbers behind the pixels' own. */
function smallBatch(more = 0): { tensors: Tensors; batch: BatchTruth; pixels: tf.Tensor2D } {
  const random = new Random(3);
  const drawn = (...shape: number[]): tf.Tensor => {
    const count = shape.reduce((product, length) => product * length, 1);
    return tf.tensor(Array.from({ length: count }, () => random.normal()), shape); // prettier-ignore
  };
  const [rows, width] = [4, 8];
  const tensors = new Map([
    ['projection.a', drawn(width + more, 6)],
    ['projection.a_bias', drawn(6)],
    ['projection.b', drawn(6, 5)],
    ['head.prototypes', drawn(LABELS, width + more)],
    ['head.query', drawn(width + more)],
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
