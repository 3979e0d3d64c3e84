import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { selectBackend } from '../../encoder/backend/backend.js';
import {
  fuseViews,
  softmax,
  temperatureFor,
  toProbabilities,
  VIEW_FEATURES,
  viewFeatures,
  type FusionView,
  type Head,
} from '../../encoder/fusion.js';
import { drawn } from '../../encoder/network.js';
import { Random } from '../../encoder/random.js';

const WIDTH = 6;
const random = new Random(8);
const unit = (): Float32Array => {
  const vector = drawn(random, [WIDTH], 1).data;
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
};
const rows = (count: number): Float32Array =>
  Float32Array.from(Array.from({ length: count }, () => [...unit()]).flat());
const head: Head = {
  prototypes: { shape: [6, WIDTH], data: rows(6) },
  prototypesPerLabel: 2,
  scale: 9,
  query: drawn(random, [WIDTH], 1),
  viewBias: drawn(random, [VIEW_FEATURES], 1),
};
const view = (yawDeg: number, quality = 0.8): FusionView => ({
  yawDeg,
  pitchDeg: 5,
  rollDeg: -3,
  quality,
});
const plain: Head = { ...head, query: { shape: [WIDTH], data: new Float32Array(WIDTH) } };

describe('attention over views', () => {
  beforeAll(() => selectBackend('wasm'));

  it('has weights that sum to one, and does not mind the order of the views', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.integer({ min: -90, max: 90 }), { minLength: 6, maxLength: 6 }),
        (count, yaws) => {
          const embeddings = Array.from({ length: count }, unit);
          const views = yaws.slice(0, count).map((yaw) => view(yaw));
          const { logits, weights } = fuseViews(head, embeddings, views);
          expect(weights.reduce((a, b) => a + b)).toBeCloseTo(1, 10);
          const turned = fuseViews(head, [...embeddings].reverse(), [...views].reverse());
          turned.logits.forEach((logit, i) => expect(logit).toBeCloseTo(logits[i]!, 5));
          expect(
            [...turned.weights].reverse().map((w, i) => Math.abs(w - weights[i]!) < 1e-9),
          ).not.toContain(false);
        },
      ),
      { seed: 1, numRuns: 50 },
    );
  });

  it('gives one view the logits of its own cosines with the prototypes', () => {
    const embedding = unit();
    const cosines = Array.from({ length: 6 }, (_, k) =>
      head.prototypes.data
        .subarray(k * WIDTH, k * WIDTH + WIDTH)
        .reduce((sum, value, i) => sum + value * embedding[i]!, 0),
    );
    const expected = [0, 1, 2].map((label) =>
      Math.log((Math.exp(9 * cosines[2 * label]!) + Math.exp(9 * cosines[2 * label + 1]!)) / 2),
    );
    const { logits } = fuseViews(head, [embedding], [view(40)]);
    logits.forEach((logit, i) => expect(logit).toBeCloseTo(expected[i]!, 5));
  });

  it('treats a mirrored pose like the pose', () => {
    expect(viewFeatures(view(40))).toEqual(viewFeatures({ ...view(-40), rollDeg: 3 }));
  });

  it('looks more at views of better quality where the bias says so', () => {
    const bias = new Float32Array(VIEW_FEATURES);
    bias[4] = 3;
    const careful: Head = { ...plain, viewBias: { shape: [VIEW_FEATURES], data: bias } };
    const embedding = unit();
    const { weights } = fuseViews(careful, [embedding, embedding], [view(0, 1), view(0, 0)]);
    expect(weights[0]! / weights[1]!).toBeCloseTo(Math.exp(3), 5);
  });

  it('is the mean embedding where every view has the same weight', () => {
    const even: Head = {
      ...plain,
      viewBias: { shape: [VIEW_FEATURES], data: new Float32Array(5) },
    };
    const embeddings = Array.from({ length: 3 }, unit);
    const views = [0, 30, 60].map((yaw) => view(yaw));
    const sum = embeddings.reduce((total, e) => total.map((value, i) => value + e[i]!));
    const mean = sum.map((value) => value / Math.hypot(...sum));
    const alone = fuseViews(even, [mean], [views[0]!]).logits;
    const together = fuseViews(even, embeddings, views).logits;
    together.forEach((logit, label) => expect(logit).toBeCloseTo(alone[label]!, 5));
  });

  it('stays finite where two views cancel each other', () => {
    const embedding = unit();
    const { logits } = fuseViews(
      plain,
      [embedding, embedding.map((value) => -value)],
      [view(0), view(0)],
    );
    expect(logits.every(Number.isFinite)).toBe(true);
  });

  it('is what tfjs matrix products make of it', () => {
    const embeddings = Array.from({ length: 4 }, unit);
    const views = [0, 30, -60, 80].map((yaw) => view(yaw));
    const { logits } = fuseViews(head, embeddings, views);
    const expected = tf.tidy(() => {
      const e = tf.tensor2d(embeddings.map((row) => [...row]));
      const attention = tf.add(
        tf.matMul(e, tf.reshape<tf.Rank.R2>(tf.tensor1d(head.query.data), [WIDTH, 1])),
        tf.tensor2d(
          views.map((one) => [
            viewFeatures(one).reduce((sum, f, i) => sum + f * head.viewBias.data[i]!, 0),
          ]),
        ),
      );
      const weights = tf.softmax(tf.reshape(attention, [1, 4]));
      const mean = tf.matMul(weights, e);
      const fused = tf.div<tf.Tensor2D>(mean, tf.norm(mean));
      const cosines = tf.matMul(fused, tf.tensor2d(head.prototypes.data, [6, WIDTH]), false, true);
      const own = tf.logSumExp(tf.reshape(tf.mul(cosines, 9), [3, 2]), 1);
      return [...own.dataSync()].map((value) => value - Math.log(2));
    });
    logits.forEach((logit, i) => expect(logit).toBeCloseTo(expected[i]!, 4));
  });

  it('refuses no views, and views without embeddings', () => {
    expect(() => fuseViews(head, [], [])).toThrow(/at least one view/);
    expect(() => fuseViews(head, [unit()], [])).toThrow(/embeddings/);
  });
});

describe('probabilities', () => {
  const even = [1 / 3, 1 / 3, 1 / 3];

  it('keep the assumed prior where none other is given, and follow Bayes where one is', () => {
    const logits = [1, 0.2, -0.4];
    const assumed = toProbabilities(logits, 2, even, even);
    expect(assumed).toEqual(softmax(logits.map((logit) => logit / 2)));
    const site = [0.8, 0.1, 0.1];
    const posterior = toProbabilities(logits, 2, site, even);
    expect(posterior[0]! / posterior[1]!).toBeCloseTo((assumed[0]! / assumed[1]!) * 8, 8);
  });

  it('take the temperature of their number of views, the last one beyond the table', () => {
    expect([1, 2, 3, 9].map((count) => temperatureFor([3, 2, 1.5], count))).toEqual([
      3, 2, 1.5, 1.5,
    ]);
  });
});
