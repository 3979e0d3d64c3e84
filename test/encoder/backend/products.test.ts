import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { selectBackend } from '../../../encoder/backend/backend.js';
import { Random } from '../../../encoder/random.js';

interface Case {
  batch: number[];
  rows: number;
  inner: number;
  columns: number;
  transposeA: boolean;
  transposeB: boolean;
}

/** A product and its gradients by both factors, on the current backend; and how many tensors stay. */
async function product({ batch, rows, inner, columns, transposeA, transposeB }: Case) {
  const random = new Random(3);
  const made = (...shape: number[]): tf.Tensor =>
    tf.tensor(
      Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.normal()),
      shape,
    );
  const a = transposeA ? made(...batch, inner, rows) : made(...batch, rows, inner);
  const b = transposeB ? made(...batch, columns, inner) : made(...batch, inner, columns);
  const before = tf.memory().numTensors;
  const run = (x: tf.Tensor, y: tf.Tensor): tf.Tensor => tf.matMul(x, y, transposeA, transposeB);
  const value = run(a, b);
  const [da, db] = tf.grads((x, y) => tf.sum(tf.square(run(x, y))))([a, b]);
  const numbers = await Promise.all([value, da!, db!].map((one) => one.data<'float32'>()));
  tf.dispose([value, da!, db!]);
  const left = tf.memory().numTensors - before;
  tf.dispose([a, b]);
  return { numbers, left };
}

describe('products of matrices on wasm', () => {
  it('are those of the reference backend, whichever factor is transposed, and leave nothing behind', async () => {
    const size = fc.integer({ min: 1, max: 7 });
    const cases = fc.record({
      batch: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
      rows: size,
      inner: size,
      columns: size,
      transposeA: fc.boolean(),
      transposeB: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(cases, async (given) => {
        await selectBackend('cpu');
        const expected = await product(given);
        await selectBackend('wasm');
        const got = await product(given);
        got.numbers.forEach((values, i) =>
          values.forEach((value, at) => expect(value).toBeCloseTo(expected.numbers[i]![at]!, 3)),
        );
        expect(got.left).toBe(0);
      }),
      { numRuns: 60 },
    );
  }, 30_000);
});
