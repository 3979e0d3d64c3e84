import * as tf from '@tensorflow/tfjs-core';
import {
  pairwiseNtXent,
  supConIn,
  supConOut,
  unitRows,
  viewFx,
} from '../encoder/contrastive/index.js';
import { forward, type ForwardOptions, type Tensors } from '../encoder/formats/tfjs.js';
import { VIEW_FEATURES } from '../encoder/fusion.js';
import { GEOMETRY_FEATURES } from '../encoder/geometry.js';
import type { Graph } from '../encoder/graph.js';
import type { Batch, BatchTruth } from './batch.js';
import type { Recipe } from './recipe.js';

const VIEWFX_LAMBDA = 0.005;
const VIEWFX_WEIGHTS: readonly [number, number, number] = [1, 1, 0.05];

/** The loss and its named terms; all scalars. */
export type Terms = Record<string, tf.Scalar> & { loss: tf.Scalar };

export interface ObjectiveInput {
  readonly tensors: Tensors;
  readonly batch: BatchTruth;
  readonly recipe: Recipe;
}

/** A batch's pixels through the encoder that learns. [rows, embedding of the pixels] */
export function embedBatch(
  graph: Graph,
  tensors: Tensors,
  batch: Batch,
  options: ForwardOptions,
): tf.Tensor2D {
  const images = tf.tensor4d(batch.images, [batch.rows, batch.size, batch.size, 1]);
  return forward(graph, tensors, images, options);
}

/** What a stage minimises, of the pixels' embeddings of one batch. */
export function objective(pixels: tf.Tensor2D, input: ObjectiveInput): Terms {
  const { tensors, batch, recipe } = input;
  const bent = bentFaces(batch, tensors);
  const embeddings = bent ? joined(pixels, bent, recipe.geometryShare) : pixels;
  const terms: Record<string, tf.Scalar> = {};
  const weighted: tf.Scalar[] = [];
  const term = (name: string, weight: number, make: () => tf.Scalar): void => {
    if (weight === 0) return;
    terms[name] = make();
    weighted.push(tf.mul(terms[name], weight));
  };
  const finetune = recipe.stage === 'finetune';
  const { singleViews, agreement } = recipe.head;
  const logits = finetune ? labelLogits(cosines(embeddings, tensors), input) : undefined;
  term('contrastive', finetune ? recipe.contrastive.weight : 1, () =>
    contrastive(embeddings, input),
  );
  if (logits) {
    const rows = batch.groupOf;
    term('single', singleViews, () =>
      crossEntropy(
        logits,
        rows.map((g) => batch.labels[g]!),
        rows.map((g) => batch.weights[g]!),
        recipe,
      ),
    );
    term('fused', 1 - singleViews, () =>
      crossEntropy(fusedLogits(embeddings, input), batch.labels, batch.weights, recipe),
    );
    term('disagreement', agreement, () => disagreement(logits, batch));
  }
  term(
    'shapes',
    tensors.has('shapes.kernel') && batch.shapes.some(Boolean) ? recipe.shapes : 0,
    () => shapesError(embeddings, input),
  );
  term(
    'frontal',
    tensors.has('frontal.kernel') && batch.frontal.some(Boolean) ? recipe.frontal : 0,
    () => frontalError(embeddings, input),
  );
  if (bent && tensors.has('blendshapes.kernel') && batch.blendshapes.length > 0)
    term('blendshapes', recipe.blendshapes, () => blendshapesError(bent, input));
  return { ...terms, loss: tf.addN(weighted) };
}

/** The geometry stream's unit vectors, where there is one. */
function bentFaces(batch: BatchTruth, tensors: Tensors): tf.Tensor2D | undefined {
  if (batch.geometry.length === 0) return undefined;
  const features = tf.tensor2d(batch.geometry, [batch.rows, GEOMETRY_FEATURES]);
  const dense = (x: tf.Tensor2D, name: string): tf.Tensor2D =>
    tf.add(
      tf.matMul(x, named(tensors, `geometry.${name}.kernel`)),
      named(tensors, `geometry.${name}.bias`),
    );
  return unitRows(dense(tf.relu(dense(features, 'hidden')), 'project'));
}

/** Both streams' unit vectors by their shares, as joinView does it. */
function joined(pixels: tf.Tensor2D, bent: tf.Tensor2D, share: number): tf.Tensor2D {
  return tf.concat2d([tf.mul(pixels, Math.sqrt(1 - share)), tf.mul(bent, Math.sqrt(share))], 1);
}

function contrastive(
  embeddings: tf.Tensor2D,
  { tensors, batch, recipe }: ObjectiveInput,
): tf.Scalar {
  const hidden = tf.relu(
    tf.add(
      tf.matMul(embeddings, named(tensors, 'projection.a')),
      named(tensors, 'projection.a_bias'),
    ),
  );
  const projected = tf.matMul<tf.Tensor2D>(hidden, named(tensors, 'projection.b'));
  const { kind, temperature } = recipe.contrastive;
  switch (kind) {
    case 'supcon-out':
      return supConOut(projected, batch.groupOf, { temperature });
    case 'supcon-in':
      return supConIn(projected, batch.groupOf, { temperature });
    case 'ntxent':
      return pairwiseNtXent(projected, batch.groupOf, { temperature });
    case 'viewfx': {
      const labels = batch.groupOf.map((g) => batch.labels[g]!);
      return viewFx(projected, batch.groupOf, labels, {
        temperature,
        lambda: VIEWFX_LAMBDA,
        weights: VIEWFX_WEIGHTS,
      });
    }
    default:
      return kind satisfies never;
  }
}

/** [rows, prototypes] */
function cosines(embeddings: tf.Tensor2D, tensors: Tensors): tf.Tensor2D {
  return tf.matMul(embeddings, unitRows(named(tensors, 'head.prototypes')), false, true);
}

/** Attention over the views of each group that are to be fused; see fuseViews. [groups, labels] */
function fusedLogits(embeddings: tf.Tensor2D, input: ObjectiveInput): tf.Tensor2D {
  const { tensors, batch } = input;
  const groups = batch.labels.length;
  const member = new Float32Array(groups * batch.rows);
  batch.groupOf.forEach((g, row) => (member[g * batch.rows + row] = batch.fused[row] ? 1 : 0));
  const features = tf.tensor2d(batch.features, [batch.rows, VIEW_FEATURES]);
  const query = tf.reshape<tf.Rank.R2>(named(tensors, 'head.query'), [-1, 1]);
  const bias = tf.reshape<tf.Rank.R2>(named(tensors, 'head.viewBias'), [VIEW_FEATURES, 1]);
  const attention = tf.add(tf.matMul(embeddings, query), tf.matMul(features, bias));
  const shares = tf.mul(
    tf.tensor2d(member, [groups, batch.rows]),
    tf.reshape(tf.exp(attention), [1, batch.rows]),
  );
  const weights = tf.div<tf.Tensor2D>(shares, tf.sum(shares, 1, true));
  const fused = unitRows(tf.matMul<tf.Tensor2D>(weights, embeddings));
  return labelLogits(cosines(fused, tensors), input);
}

/** Log-mean-exp of each label's scaled prototypes, up to a constant. [n, prototypes] → [n, labels] */
function labelLogits(similarities: tf.Tensor2D, { recipe }: ObjectiveInput): tf.Tensor2D {
  const { prototypesPerLabel, scale } = recipe.head;
  const [rows, prototypes] = similarities.shape;
  // Cosines are at most 1, so the exponentials neither overflow nor all vanish.
  const exponentials = tf.exp(tf.mul(tf.sub(similarities, 1), scale));
  return tf.log(
    tf.sum(
      tf.reshape<tf.Rank.R3>(exponentials, [
        rows,
        prototypes / prototypesPerLabel,
        prototypesPerLabel,
      ]),
      2,
    ),
  );
}

/** Mean over rows, each with its weight. */
function crossEntropy(
  logits: tf.Tensor2D,
  labels: readonly number[],
  weights: readonly number[],
  { head }: Recipe,
): tf.Scalar {
  const [rows, count] = logits.shape;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const target = new Float32Array(rows * count);
  labels.forEach((label, row) => {
    const share = weights[row]! / total;
    target.fill((share * head.labelSmoothing) / count, row * count, (row + 1) * count);
    target[row * count + label]! += share * (1 - head.labelSmoothing);
  });
  const likelihood = tf.mul(logShares(logits), tf.tensor2d(target, [rows, count]));
  return tf.neg(tf.sum(likelihood));
}

/** Logarithm of the softmax; the logits are cosines' and so far from overflow. */
const logShares = (logits: tf.Tensor2D): tf.Tensor2D =>
  tf.sub(logits, tf.log(tf.sum(tf.exp(logits), 1, true)));

/**
 * Jensen–Shannon divergence between the labels' probabilities of a group's views, in nats; the mean over
 * all groups by their weights, in which groups of one (pictures, for example) count as 0.
 */
export function disagreement(
  logits: tf.Tensor2D,
  { groupOf, weights }: Pick<BatchTruth, 'groupOf' | 'weights'>,
): tf.Scalar {
  const rows = groupOf.length;
  const share = 1 / weights.reduce((sum, weight) => sum + weight, 0);
  const views = weights.map((_, g) => groupOf.filter((one) => one === g).length);
  const mean = new Float32Array(weights.length * rows);
  groupOf.forEach((g, row) => (mean[g * rows + row] = 1 / views[g]!));
  const logs = logShares(logits);
  const shares = tf.exp(logs);
  const together = tf.matMul(tf.tensor2d(mean, [weights.length, rows]), shares);
  const ofGroups = tf.mul(
    tf.mul(together, tf.log(together)),
    tf.tensor2d(
      weights.map((weight) => weight * share),
      [weights.length, 1],
    ),
  );
  const ofViews = tf.mul(
    tf.mul(shares, logs),
    tf.tensor2d(
      groupOf.map((g) => (weights[g]! * share) / views[g]!),
      [rows, 1],
    ),
  );
  return tf.sub(tf.sum(ofViews), tf.sum(ofGroups));
}

/** Squared error a row of the expression shapes. */
function shapesError(embeddings: tf.Tensor2D, input: ObjectiveInput): tf.Scalar {
  return squaredError(
    readOut(embeddings, input.tensors, 'shapes'),
    input.batch,
    input.batch.shapes,
  );
}

/** Mean squared error of what a blendshape model reads in the most frontal view of the moment. */
function frontalError(embeddings: tf.Tensor2D, { tensors, batch }: ObjectiveInput): tf.Scalar {
  const predicted = readOut(embeddings, tensors, 'frontal');
  return tf.div(squaredError(predicted, batch, batch.frontal), predicted.shape[1]);
}

/** A row, over the rows of groups whose truth is known. */
function squaredError(
  predicted: tf.Tensor2D,
  { rows, groupOf }: BatchTruth,
  ofGroups: readonly (ArrayLike<number> | undefined)[],
): tf.Scalar {
  const width = predicted.shape[1];
  const truth = new Float32Array(rows * width);
  const known = new Float32Array(rows);
  groupOf.forEach((g, row) => {
    const group = ofGroups[g];
    if (group === undefined) return;
    truth.set(group, row * width);
    known[row] = 1;
  });
  const errors = tf.square(tf.sub(predicted, tf.tensor2d(truth, [rows, width])));
  const share = 1 / known.reduce((sum, one) => sum + one, 0);
  return tf.mul(tf.sum(tf.mul(errors, tf.tensor2d(known, [rows, 1]))), share);
}

/** Mean squared error of what a blendshape model reads from the same landmarks. */
function blendshapesError(bent: tf.Tensor2D, { tensors, batch }: ObjectiveInput): tf.Scalar {
  const predicted = readOut(bent, tensors, 'blendshapes');
  return tf.mean(tf.square(tf.sub(predicted, tf.tensor2d(batch.blendshapes, predicted.shape))));
}

function readOut(embeddings: tf.Tensor2D, tensors: Tensors, name: string): tf.Tensor2D {
  return tf.add(
    tf.matMul(embeddings, named(tensors, `${name}.kernel`)),
    named(tensors, `${name}.bias`),
  );
}

const named = (tensors: Tensors, name: string): tf.Tensor2D => tensors.get(name) as tf.Tensor2D;
