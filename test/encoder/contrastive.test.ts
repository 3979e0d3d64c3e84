import { existsSync, readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { selectBackend } from '../../encoder/backend/backend.js';
import {
  barlowTwins,
  collapseStatistics,
  pairwiseNtXent,
  supConIn,
  supConOut,
  unitRows,
  viewFx,
} from '../../encoder/contrastive/index.js';
import { Random } from '../../encoder/random.js';
import { describeWithData, sharedData } from '../support/shared-data.js';

interface Vectors {
  cases: {
    case: string;
    temperature: number;
    labels: number[];
    embeddings: number[][];
    expected: Record<
      | 'supcon_out_mean_over_anchors_with_positives'
      | 'supcon_out_mean_over_all_anchors'
      | 'supcon_in_mean_over_anchors_with_positives'
      | 'pairwise_ntxent',
      number
    >;
    gradient_of_supcon_out_mean_over_anchors_with_positives: number[][];
  }[];
  barlow_twins: { z1: number[][]; z2: number[][]; lambda: number; expected: number };
}

const path = sharedData('..', 'reference', 'contrastive-vectors.json');
const vectors = existsSync(path)
  ? (JSON.parse(readFileSync(path, 'utf8')) as Vectors)
  : { cases: [], barlow_twins: undefined };

type Loss = (embeddings: tf.Tensor2D) => tf.Scalar;

async function valueOf(loss: Loss, rows: number[][]): Promise<number> {
  const value = tf.tidy(() => loss(tf.tensor2d(rows)));
  const [number] = await value.data();
  value.dispose();
  return number!;
}

async function gradientOf(loss: Loss, rows: number[][]): Promise<Float32Array> {
  const gradient = tf.tidy(() => tf.grad((x) => loss(x as tf.Tensor2D))(tf.tensor2d(rows)));
  const values = await gradient.data<'float32'>();
  gradient.dispose();
  return values;
}

const OBJECTIVES: Record<string, (groups: number[]) => Loss> = {
  'L_out by capture': (groups) => (x) => supConOut(x, groups, { temperature: 0.5 }),
  'L_in by capture': (groups) => (x) => supConIn(x, groups, { temperature: 0.5 }),
  'pairwise NT-Xent': (groups) => (x) => pairwiseNtXent(x, groups, { temperature: 0.5 }),
  ViewFX: (groups) => (x) =>
    viewFx(x, groups, groups.map((group) => group % 2), { temperature: 0.5, lambda: 0.01, weights: [1, 0.5, 0.1] }),
}; // prettier-ignore

describe.each(['cpu', 'wasm'] as const)('contrastive objectives on %s', (backend) => {
  let tensors = 0;
  beforeAll(async () => {
    await selectBackend(backend);
    tensors = tf.memory().numTensors;
  });
  afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

  describeWithData('against reference vectors', () => {
    it.each(vectors.cases.map((one) => [`${one.case} at ${one.temperature}`, one] as const))(
      'give the reference values and gradient of %s',
      async (_, { embeddings, labels, temperature, expected, ...rest }) => {
        const rows = embeddings;
        const values = [
          await valueOf((x) => supConOut(x, labels, { temperature }), rows),
          await valueOf((x) => supConOut(x, labels, { temperature, reduction: 'all' }), rows),
          await valueOf((x) => supConIn(x, labels, { temperature }), rows),
          await valueOf((x) => pairwiseNtXent(x, labels, { temperature }), rows),
        ];
        const wanted = [
          expected.supcon_out_mean_over_anchors_with_positives,
          expected.supcon_out_mean_over_all_anchors,
          expected.supcon_in_mean_over_anchors_with_positives,
          expected.pairwise_ntxent,
        ];
        values.forEach((value, i) => expectClose(value, wanted[i]!));
        const gradient = await gradientOf((x) => supConOut(x, labels, { temperature }), rows);
        const reference = rest.gradient_of_supcon_out_mean_over_anchors_with_positives.flat();
        gradient.forEach((value, i) => expectClose(value, reference[i]!));
      },
    );

    it('give the reference value of Barlow Twins', async () => {
      const { z1, z2, lambda, expected } = vectors.barlow_twins!;
      expectClose(await valueOf((x) => barlowTwins(x, tf.tensor2d(z2), { lambda }), z1), expected);
    });
  });

  it.each(Object.keys(OBJECTIVES))('%s has the gradient that finite differences show', async (name) => {
    const groups = [0, 0, 0, 1, 1, 2, -1, 3, 3];
    const random = new Random(11);
    const rows = groups.map(() => Array.from({ length: 5 }, () => random.normal()));
    const loss = OBJECTIVES[name]!(groups);
    const gradient = await gradientOf(loss, rows);
    const step = 1e-2;
    for (let i = 0; i < gradient.length; i++) {
      const moved = (by: number): number[][] =>
        rows.map((row, r) => row.map((value, c) => (r * 5 + c === i ? value + by : value)));
      const slope = ((await valueOf(loss, moved(step))) - (await valueOf(loss, moved(-step)))) / (2 * step);
      expect(Math.abs(gradient[i]! - slope)).toBeLessThan(2e-3);
    }
  });

  it('have the value of collapse when all embeddings are equal', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 5 }), fc.integer({ min: 2, max: 4 }), async (captures, views) => {
        const groups = Array.from({ length: captures * views }, (_, i) => Math.floor(i / views));
        const rows = groups.map(() => [0.6, 0.8]);
        const n = captures * views;
        expectClose(await valueOf((x) => supConOut(x, groups, { temperature: 0.1 }), rows), Math.log(n - 1));
        expectClose(await valueOf((x) => supConIn(x, groups, { temperature: 0.1 }), rows), Math.log((n - 1) / (views - 1)));
        expectClose(await valueOf((x) => pairwiseNtXent(x, groups, { temperature: 0.1 }), rows), Math.log(1 + (captures - 1) * views));
      }),
      { numRuns: 10, seed: 3 },
    );
  });

  it('stay finite for groups of one, missing views and vectors of zeros', async () => {
    for (const groups of [[0, 1, 2], [-1, -1, -1], [0, 0, -1], [5, 5, 5]]) {
      for (const objective of Object.values(OBJECTIVES)) {
        const rows = [[0, 0], [1, 0], [0.5, 0.1]];
        expect(Number.isFinite(await valueOf(objective(groups), rows))).toBe(true);
        expect((await gradientOf(objective(groups), rows)).every(Number.isFinite)).toBe(true);
      }
    }
  });

  it('do not see a missing view at all', async () => {
    const rows = [[1, 0.2], [0.3, 1], [0.9, 0.5], [-3, 2]];
    const [withMissing, without] = [
      await valueOf((x) => supConOut(x, [0, 0, 1, -1], { temperature: 0.2 }), rows),
      await valueOf((x) => supConOut(x, [0, 0, 1], { temperature: 0.2 }), rows.slice(0, 3)),
    ];
    expect(withMissing).toBeCloseTo(without, 6);
    const tooFew: Loss = (x) => supConOut(x, [0, 0], { temperature: 0.2 });
    await expect(valueOf(tooFew, rows)).rejects.toThrow(/groups/);
  });

  it('do not change when rows are scaled, permuted or all turned alike', async () => {
    const random = new Random(4);
    const groups = [0, 0, 1, 1, 2, 2];
    const rows = groups.map(() => [random.normal(), random.normal()]);
    const loss: Loss = (x) => supConOut(x, groups, { temperature: 0.3 });
    const value = await valueOf(loss, rows);
    const [c, s] = [Math.cos(1), Math.sin(1)];
    const turned = rows.map(([x, y]) => [5 * (c * x! - s * y!), 5 * (s * x! + c * y!)]);
    expectClose(await valueOf(loss, turned), value);
    const order = [4, 0, 5, 2, 1, 3];
    const permuted: Loss = (x) => supConOut(x, order.map((i) => groups[i]!), { temperature: 0.3 });
    expectClose(await valueOf(permuted, order.map((i) => rows[i]!)), value);
  });
}); // prettier-ignore

describe('collapse statistics', () => {
  it('tell spread unit vectors from collapsed ones', () => {
    const spread = [[1, 0], [0, 1], [-1, 0], [0, -1]].map((row) => Float32Array.from(row)); // prettier-ignore
    const flat = spread.map(() => Float32Array.from([1, 0]));
    const good = collapseStatistics(spread, [0, 0, 1, 1]);
    // Positives a quarter turn apart: squared distance 2. Pairs: four at 2, two at 4.
    expect(good.alignment).toBeCloseTo(2, 6);
    expect(good.uniformity).toBeCloseTo(Math.log((4 * Math.exp(-4) + 2 * Math.exp(-8)) / 6), 6);
    expect(good.variance).toBeCloseTo(0.5, 6);
    expect(collapseStatistics(flat, [0, 0, 1, 1])).toEqual({
      alignment: 0,
      uniformity: 0,
      variance: 0,
    });
  });
});

describe('unit rows', () => {
  it('leave the zero vector at zero', async () => {
    await selectBackend('wasm');
    const rows = tf.tidy(() => unitRows(tf.tensor2d([[0, 0], [3, 4]]))); // prettier-ignore
    expect([...(await rows.data())].map((value) => Math.round(value * 1e6) / 1e6)).toEqual([
      0, 0, 0.6, 0.8,
    ]);
    rows.dispose();
  });
});

function expectClose(actual: number, expected: number): void {
  expect(Math.abs(actual - expected) / Math.max(1, Math.abs(expected))).toBeLessThan(1e-5);
}
