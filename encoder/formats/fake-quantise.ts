import * as tf from '@tensorflow/tfjs-core';
import { LARGEST_WEIGHT } from '../quantise/scheme.js';

/**
 * Numbers as their int8 form will hold them, for quantisation-aware training: rounded on the way
 * forward, passed straight through on the way back (Bengio et al. 2013; Jacob et al. 2018).
 */
function straightThrough<T extends tf.Tensor>(x: T, round: (x: T) => T): T {
  const rounded = tf.customGrad((...inputs) => ({
    value: round(inputs[0] as T),
    gradFunc: (gradient: tf.Tensor) => gradient,
  }));
  return rounded(x) as T;
}

/** A tensor of activations as bytes over the range it has in this batch, zero included exactly. */
export function asBytes<T extends tf.Tensor>(x: T): T {
  return straightThrough(x, (values) => {
    const low = tf.minimum(tf.min(values), 0);
    const scale = tf.maximum(tf.div(tf.sub(tf.maximum(tf.max(values), 0), low), 255), 1e-9);
    const zero = tf.round(tf.div(tf.neg(low), scale));
    const bytes = tf.clipByValue(tf.add(tf.round(tf.div(values, scale)), zero), 0, 255);
    return tf.mul<T>(tf.sub(bytes, zero), scale);
  });
}

/**
 * A kernel as symmetric int8, a scale an output channel. What batch normalisation multiplies each
 * channel by later changes nothing: its scale is multiplied alike.
 * @param within axes that one channel's weights run along.
 */
export function asWeights<T extends tf.Tensor>(kernel: T, within: readonly number[]): T {
  return straightThrough(kernel, (weights) => {
    const largest = tf.max(tf.abs(weights), [...within], true);
    const scale = tf.maximum(tf.div(largest, LARGEST_WEIGHT), 1e-12);
    return tf.mul<T>(tf.round(tf.div(weights, scale)), scale);
  });
}
