import * as tf from '@tensorflow/tfjs-core';

/** Stands for log 0 where a row has nothing to sum; finite, so that nothing becomes NaN. */
const NOTHING = -1e30;
const LEAST_NORM = 1e-12;

/**
 * Rows scaled to length one: x / max(|x|₂, 1e-12). Its own gradient, dx = (dy − y (y · dy)) / |x|,
 * stays finite at the zero vector.
 */
export function unitRows(rows: tf.Tensor2D): tf.Tensor2D {
  return tf.customGrad((x, save) => {
    const tensor = x as tf.Tensor2D;
    const inverse = tf.div(1, tf.maximum(tf.sqrt(tf.sum(tf.square(tensor), 1, true)), LEAST_NORM));
    const value = tf.mul(tensor, inverse);
    (save as tf.GradSaveFunc)([value, inverse]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [y, scale] = saved as [tf.Tensor, tf.Tensor];
        return tf.mul(scale, tf.sub(dy, tf.mul(y, tf.sum(tf.mul(y, dy), 1, true))));
      },
    };
  })(rows) as tf.Tensor2D;
}

/** Cosine of every row with every row, over the temperature. [n, d] → [n, n] */
export function similarities(rows: tf.Tensor2D, temperature: number): tf.Tensor2D {
  const unit = unitRows(rows);
  return tf.mul(tf.matMul(unit, unit, false, true), 1 / temperature);
}

/**
 * log Σⱼ maskᵢⱼ exp(sᵢⱼ) a row, [n, n] → [n, 1]; −1e30 where a row's mask is empty. The gradient is
 * the masked softmax.
 * @param mask zeros and ones, [n, n]; takes no gradient.
 */
export function maskedLogSumExp(scores: tf.Tensor2D, mask: tf.Tensor2D): tf.Tensor2D {
  return tf.customGrad((x, save) => {
    const tensor = x as tf.Tensor2D;
    const hidden = tf.mul(tf.sub(1, mask), NOTHING);
    const most = tf.max(tf.add(tf.mul(tensor, mask), hidden), 1, true);
    const empty = tf.sub(1, tf.max(mask, 1, true));
    const exponentials = tf.mul(tf.exp(tf.minimum(tf.sub(tensor, most), 0)), mask);
    const value = tf.add(most, tf.log(tf.add(tf.sum(exponentials, 1, true), empty)));
    (save as tf.GradSaveFunc)([tensor, value, mask]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [s, total, kept] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
        return tf.mul(dy, tf.mul(tf.exp(tf.minimum(tf.sub(s, total), 0)), kept));
      },
    };
  })(scores) as tf.Tensor2D;
}

/** log(1 + exp(x)) without overflow. Any shape. */
export function softplus(values: tf.Tensor2D): tf.Tensor2D {
  return tf.customGrad((x, save) => {
    const tensor = x as tf.Tensor;
    (save as tf.GradSaveFunc)([tensor]);
    const value = tf.add(tf.relu(tensor), tf.log(tf.add(1, tf.exp(tf.neg(tf.abs(tensor))))));
    return {
      value,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.mul(dy, tf.sigmoid(saved[0]!)),
    };
  })(values) as tf.Tensor2D;
}
