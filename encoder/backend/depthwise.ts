import * as tf from '@tensorflow/tfjs-core';
import { windowOf, type ConvolutionAttributes, type Window } from './window.js';

/**
 * dW[k, l, c, m] = Σ x[n, k + s·r, l + s·q, c] dy[n, r, q, c·M + m]: one product and one sum a place
 * of the kernel.
 */
export function depthwiseFilterGradient(
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  attributes: ConvolutionAttributes,
): tf.Tensor {
  return tf.tidy(() => {
    const [height, width, channels, multiplier] = attributes.filterShape!;
    const window = windowOf(x.shape, dy.shape, attributes.filterShape!, attributes);
    const padded = padRows(x, window);
    const places = eachPlace(height, width, (k, l) => {
      const seen = stretch(strided(padded, [k, l], dy.shape, window.stride), multiplier);
      return tf.sum(tf.mul(seen, dy), [0, 1, 2]);
    });
    return tf.reshape(tf.stack(places), [height, width, channels, multiplier]);
  });
}

/** dx = Σ over kernel places of w · dy, put back where x was read. */
export function depthwiseInputGradient(
  dy: tf.Tensor4D,
  filter: tf.Tensor4D,
  attributes: ConvolutionAttributes,
): tf.Tensor {
  return tf.tidy(() => {
    const shape = attributes.inputShape!;
    const [height, width, channels, multiplier] = filter.shape;
    const { stride, before, after } = windowOf(shape, dy.shape, filter.shape, attributes);
    const spread = insertZeros(dy, stride);
    const [rows, columns] = ([0, 1] as const).map(
      (i) => shape[i + 1]! + before[i] + Math.max(0, after[i]),
    ) as [number, number];
    const parts = eachPlace(height, width, (k, l) => {
      const weight = tf.reshape(tf.slice(filter, [k, l, 0, 0], [1, 1, channels, multiplier]), [
        channels * multiplier,
      ]);
      const part = gatherChannels(tf.mul<tf.Tensor4D>(spread, weight), multiplier);
      const missing = [rows - k - part.shape[1], columns - l - part.shape[2]];
      return tf.pad(part, [[0, 0], [k, missing[0]!], [l, missing[1]!], [0, 0]]); // prettier-ignore
    });
    return tf.slice(tf.addN(parts), [0, before[0], before[1], 0], shape);
  });
}

function eachPlace(
  height: number,
  width: number,
  make: (k: number, l: number) => tf.Tensor,
): tf.Tensor[] {
  return Array.from({ length: height * width }, (_, at) =>
    make(Math.floor(at / width), at % width),
  );
}

function padRows(x: tf.Tensor4D, { before, after }: Window): tf.Tensor4D {
  const pad = ([0, 1] as const).map((i): [number, number] => [before[i], Math.max(0, after[i])]);
  return tf.pad(x, [[0, 0], pad[0]!, pad[1]!, [0, 0]]);
}

function strided(
  x: tf.Tensor4D,
  from: [number, number],
  like: readonly number[],
  stride: [number, number],
): tf.Tensor4D {
  const [batch, , , channels] = x.shape;
  const size = ([0, 1] as const).map((i) => (like[i + 1]! - 1) * stride[i] + 1);
  return tf.stridedSlice(
    x,
    [0, from[0], from[1], 0],
    [batch, from[0] + size[0]!, from[1] + size[1]!, channels],
    [1, stride[0], stride[1], 1],
  ) as tf.Tensor4D;
}

/** Repeats every channel `multiplier` times, as a depthwise convolution orders its outputs. */
function stretch(x: tf.Tensor4D, multiplier: number): tf.Tensor4D {
  if (multiplier === 1) return x;
  const [batch, height, width, channels] = x.shape;
  const flat = tf.reshape(x, [batch * height * width * channels, 1]);
  return tf.reshape(tf.tile(flat, [1, multiplier]), [batch, height, width, channels * multiplier]);
}

function gatherChannels(x: tf.Tensor4D, multiplier: number): tf.Tensor4D {
  if (multiplier === 1) return x;
  const [batch, height, width, channels] = x.shape;
  const own = channels / multiplier;
  const sums = tf.sum(tf.reshape(x, [batch * height * width, own, multiplier]), 2);
  return tf.reshape(sums, [batch, height, width, own]);
}

/** Rows and columns of zeros between those of dy; (n − 1) · stride + 1 remain. */
function insertZeros(dy: tf.Tensor4D, stride: [number, number]): tf.Tensor4D {
  const [batch, height, width, channels] = dy.shape;
  const tall = tf.pad(tf.reshape<tf.Rank.R3>(dy, [batch * height, 1, width * channels]), [[0, 0], [0, stride[0] - 1], [0, 0]]); // prettier-ignore
  const lines = batch * height * stride[0] * width;
  const wide = tf.pad(tf.reshape<tf.Rank.R3>(tall, [lines, 1, channels]), [[0, 0], [0, stride[1] - 1], [0, 0]]); // prettier-ignore
  const full = tf.reshape(wide, [batch, height * stride[0], width * stride[1], channels]);
  const size = [batch, (height - 1) * stride[0] + 1, (width - 1) * stride[1] + 1, channels];
  return tf.slice(full, [0, 0, 0, 0], size) as tf.Tensor4D;
}
