import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { selectBackend } from '../../../encoder/backend/backend.js';
import { Random } from '../../../encoder/random.js';

interface Case {
  size: [number, number];
  channels: number;
  out: number;
  kernel: [number, number];
  stride: [number, number];
  pad: 'same' | 'valid';
}

const values = (random: Random, count: number): Float32Array =>
  Float32Array.from({ length: count }, () => random.normal());

type Operation = (x: tf.Tensor4D, w: tf.Tensor4D) => tf.Tensor4D;

/** Gradients of Σ dy · f(x, w) by x and w on the current backend. */
async function gradients(
  shape: [number, number, number, number],
  filter: [number, number, number, number],
  run: Operation,
): Promise<Float32Array[]> {
  const random = new Random(7);
  const x = tf.tensor4d(
    values(
      random,
      shape.reduce((a, b) => a * b),
    ),
    shape,
  );
  const w = tf.tensor4d(
    values(
      random,
      filter.reduce((a, b) => a * b),
    ),
    filter,
  );
  const outShape = tf.tidy(() => run(x, w).shape);
  const dy = tf.tensor4d(
    values(
      random,
      outShape.reduce((a, b) => a * b),
    ),
    outShape,
  );
  const [dx, dw] = tf.grads((a, b) => tf.sum(tf.mul(run(a as tf.Tensor4D, b as tf.Tensor4D), dy)))([
    x,
    w,
  ]);
  const result = [await dx!.data<'float32'>(), await dw!.data<'float32'>()];
  tf.dispose([x, w, dy, dx!, dw!]);
  return result;
}

async function expectEqualOnBoth(run: () => Promise<Float32Array[]>): Promise<void> {
  await selectBackend('cpu');
  const expected = await run();
  await selectBackend('wasm');
  const before = tf.memory().numTensors;
  const actual = await run();
  expect(tf.memory().numTensors).toBe(before);
  for (const [i, reference] of expected.entries()) {
    const scale = Math.max(1, ...reference.map(Math.abs));
    actual[i]!.forEach((value, at) =>
      expect(Math.abs(value - reference[at]!) / scale).toBeLessThan(1e-5),
    );
  }
}

const cases = fc.record<Case>({
  size: fc.tuple(fc.integer({ min: 4, max: 9 }), fc.integer({ min: 4, max: 9 })),
  channels: fc.integer({ min: 1, max: 3 }),
  out: fc.integer({ min: 1, max: 3 }),
  kernel: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
  stride: fc.constantFrom<[number, number][]>([1, 1], [2, 2], [3, 3], [2, 1]),
  pad: fc.constantFrom('same', 'valid'),
});

describe('gradients from forward convolutions on WASM', () => {
  it('equal those of the CPU backend for convolutions of any window', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ size, channels, out, kernel, stride, pad }) => {
        await expectEqualOnBoth(() =>
          gradients([3, ...size, channels], [...kernel, channels, out], (x, w) =>
            tf.conv2d(x, w, stride, pad),
          ),
        );
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  it('equal those of the CPU backend for depthwise convolutions of any window', async () => {
    const equalStrides = cases.filter(({ stride }) => stride[0] === stride[1]);
    await fc.assert(
      fc.asyncProperty(equalStrides, async ({ size, channels, out, kernel, stride, pad }) => {
        await expectEqualOnBoth(() =>
          gradients([2, ...size, channels], [...kernel, channels, out], (x, w) =>
            tf.depthwiseConv2d(x, w, stride, pad),
          ),
        );
      }),
      { numRuns: 60, seed: 2 },
    );
  });
});
