import * as tf from '@tensorflow/tfjs-core';
import { pairsOf, type Pairs } from './pairs.js';
import { maskedLogSumExp, similarities, softplus } from './similarity.js';

export interface ContrastiveOptions {
  /** Divides cosines; small values look at the hardest negatives. */
  readonly temperature: number;
  /** Mean over anchors that have a positive (default), or over all present rows. */
  readonly reduction?: 'with-positives' | 'all' | undefined;
}

/**
 * Supervised contrastive loss with the logarithm outside the sum over positives: Khosla et al. 2020,
 * eq. 2. With the capture as group this is the CL-MEx objective: the other views of the same moment
 * are positives, everything else in the batch is a negative. A row without positives contributes 0.
 * @param embeddings [n, d], any length; scaled to unit rows here.
 * @param groups see {@link pairsOf}.
 */
export function supConOut(
  embeddings: tf.Tensor2D,
  groups: readonly number[],
  options: ContrastiveOptions,
): tf.Scalar {
  return tf.tidy(() => {
    const pairs = pairsOf(groups, embeddings.shape[0]);
    const scores = similarities(embeddings, options.temperature);
    const mean = tf.sum(tf.mul(scores, perPositive(pairs)), 1, true);
    return meanOverAnchors(tf.sub(maskedLogSumExp(scores, pairs.others), mean), pairs, options);
  });
}

/**
 * The same with the logarithm outside everything: −log(Σ over positives of their softmax share).
 * Khosla et al. 2020, eq. 3, but for the constant log |positives|, which has no gradient: so the
 * best value is 0 for any number of positives.
 */
export function supConIn(
  embeddings: tf.Tensor2D,
  groups: readonly number[],
  options: ContrastiveOptions,
): tf.Scalar {
  return tf.tidy(() => {
    const pairs = pairsOf(groups, embeddings.shape[0]);
    const scores = similarities(embeddings, options.temperature);
    const inside = maskedLogSumExp(scores, pairs.positives);
    return meanOverAnchors(tf.sub(maskedLogSumExp(scores, pairs.others), inside), pairs, options);
  });
}

/**
 * Mean over (anchor, positive) pairs of −log(eᵖ / (eᵖ + Σ eⁿ)): each positive competes with the
 * negatives alone (NT-Xent, Chen et al. 2020, for any number of positives).
 */
export function pairwiseNtXent(
  embeddings: tf.Tensor2D,
  groups: readonly number[],
  { temperature }: ContrastiveOptions,
): tf.Scalar {
  return tf.tidy(() => {
    const pairs = pairsOf(groups, embeddings.shape[0]);
    const scores = similarities(embeddings, temperature);
    const against = softplus(tf.sub<tf.Tensor2D>(maskedLogSumExp(scores, pairs.negatives), scores));
    const total = pairs.counts.reduce((sum, count) => sum + count, 0);
    return tf.mul(tf.sum(tf.mul(against, pairs.positives)), 1 / Math.max(1, total));
  });
}

/** 1 / |positives| where j is a positive of i, else 0. */
function perPositive({ positives, counts }: Pairs): tf.Tensor {
  return tf.mul(positives, column(counts.map((count) => 1 / Math.max(1, count))));
}

function meanOverAnchors(
  losses: tf.Tensor,
  { counts, present }: Pairs,
  { reduction }: ContrastiveOptions,
): tf.Scalar {
  const anchors = counts.filter((count) => count > 0).length;
  const share = 1 / Math.max(1, reduction === 'all' ? present : anchors);
  return tf.sum(tf.mul(losses, column(counts.map((count) => (count > 0 ? share : 0)))));
}

const column = (values: readonly number[]): tf.Tensor2D =>
  tf.tensor2d([...values], [values.length, 1]);
