import * as tf from '@tensorflow/tfjs-core';
import { supConOut } from './losses.js';

const BATCH_NORM_EPSILON = 1e-5;

export interface BarlowOptions {
  /** Weight of the off-diagonal terms. */
  readonly lambda: number;
}

/**
 * Barlow Twins (Zbontar et al. 2021): with both sides standardised over the batch (biased variance),
 * C = z₁ᵀ z₂ / n, the loss is Σ (1 − Cᵢᵢ)² + λ Σ Cᵢⱼ². Fewer than two rows give 0.
 * @param first [n, d]. @param second [n, d], row by row another view of the same capture.
 */
export function barlowTwins(
  first: tf.Tensor2D,
  second: tf.Tensor2D,
  { lambda }: BarlowOptions,
): tf.Scalar {
  return tf.tidy(() => {
    const [count, width] = first.shape;
    if (count < 2) return tf.mul(tf.add(tf.sum(first), tf.sum(second)), 0);
    const correlation = tf.mul(tf.matMul(standardize(first), standardize(second), true), 1 / count);
    const identity = tf.eye(width);
    const weights = tf.add(tf.mul(identity, 1 - lambda), lambda);
    return tf.sum(tf.mul(tf.square(tf.sub(correlation, identity)), weights));
  });
}

export interface ViewFxOptions {
  readonly temperature: number;
  readonly lambda: number;
  /** Weights of the three terms: by capture, by label, Barlow Twins. */
  readonly weights: readonly [number, number, number];
}

/**
 * The objective of ViewFX (Roy & Etemad 2023, arXiv 2311.06852): views of one capture come together,
 * pictures of one expression come together, and the embedding's dimensions stay decorrelated. Barlow
 * Twins takes consecutive views of each capture as pairs.
 * @param captures group a row. @param labels expression a row; negative where unknown.
 */
export function viewFx(
  embeddings: tf.Tensor2D,
  captures: readonly number[],
  labels: readonly number[],
  options: ViewFxOptions,
): tf.Scalar {
  return tf.tidy(() => {
    const { temperature, lambda, weights } = options;
    const [first, second] = consecutive(embeddings, captures);
    const terms = [
      supConOut(embeddings, captures, { temperature }),
      supConOut(embeddings, labels, { temperature }),
      barlowTwins(first, second, { lambda }),
    ];
    return tf.addN(terms.map((term, i) => tf.mul(term, weights[i]!)));
  });
}

/**
 * Rows of each capture's views and of the view after each, taken by a product with zeros and ones:
 * a gather has no gradient on every backend.
 */
function consecutive(
  embeddings: tf.Tensor2D,
  captures: readonly number[],
): [tf.Tensor2D, tf.Tensor2D] {
  const last = new Map<number, number>();
  const pairs: [number, number][] = [];
  for (const [row, capture] of captures.entries()) {
    if (capture < 0) continue;
    const before = last.get(capture);
    if (before !== undefined) pairs.push([before, row]);
    last.set(capture, row);
  }
  const rows = captures.length;
  const side = (at: 0 | 1): tf.Tensor2D => {
    const selection = new Float32Array(Math.max(1, pairs.length) * rows);
    pairs.forEach((pair, i) => (selection[i * rows + pair[at]] = 1));
    return tf.matMul(tf.tensor2d(selection, [Math.max(1, pairs.length), rows]), embeddings);
  };
  return [side(0), side(1)];
}

function standardize(rows: tf.Tensor2D): tf.Tensor2D {
  const centred = tf.sub(rows, tf.mean(rows, 0, true));
  const variance = tf.mean(tf.square(centred), 0, true);
  return tf.div(centred, tf.sqrt(tf.add(variance, BATCH_NORM_EPSILON)));
}
