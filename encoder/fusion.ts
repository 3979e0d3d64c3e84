import { ClmexError } from '../core/errors.js';
import type { HeadPose } from '../core/types.js';
import type { Weights } from './graph.js';

/** What fusion knows of a view besides its embedding. */
export interface FusionView extends HeadPose {
  /** 0–1. */
  readonly quality: number;
}

/** Trained numbers behind the embedding: attention over views, then cosine prototypes. */
export interface Head {
  /** [labels × columns × prototypes, embedding], unit rows; a label's prototypes lie together, column by column. */
  readonly prototypes: Weights;
  /** Of one column. */
  readonly prototypesPerLabel: number;
  /**
   * How much of a label's logit each of several networks has that share the embedding, a column each; they sum
   * to 1. A column's part of an embedding is √weight long, and its prototypes are 0 outside. Absent: one network.
   */
  readonly columns?: readonly number[] | undefined;
  /** Multiplies cosines before the softmax. */
  readonly scale: number;
  /** [embedding]: what in a view makes it worth attention. */
  readonly query: Weights;
  /** [VIEW_FEATURES]: bias from pose and quality. */
  readonly viewBias: Weights;
}

export interface Fused {
  /** Label logits before temperature and prior. */
  readonly logits: number[];
  /** One a view, summing to 1. */
  readonly weights: number[];
}

export const VIEW_FEATURES = 5;

/** Pose and quality as the attention sees them; a mirrored view gets the same. */
export function viewFeatures({ yawDeg, pitchDeg, rollDeg, quality }: FusionView): number[] {
  return [Math.abs(yawDeg) / 45, (yawDeg / 45) ** 2, Math.abs(pitchDeg) / 45, Math.abs(rollDeg) / 45, quality]; // prettier-ignore
}

/**
 * Attention fusion: weights = softmax(query · e + bias · features); the group's embedding is the weighted
 * mean of the views', scaled to length one; a label's logit is the log-mean-exp of its prototypes' scaled
 * cosines, and the weighted mean of these where there are columns. With equal weights this is the mean embedding.
 */
export function fuseViews(
  head: Head,
  embeddings: readonly Float32Array[],
  views: readonly FusionView[],
): Fused {
  if (embeddings.length === 0 || embeddings.length !== views.length) {
    throw new ClmexError('invalid-argument', 'needs one embedding a view and at least one view', {
      field: 'embeddings',
      value: [embeddings.length, views.length],
    });
  }
  const weights = softmax(
    embeddings.map(
      (embedding, i) =>
        dot(head.query.data, embedding) + dot(head.viewBias.data, viewFeatures(views[i]!)),
    ),
  );
  return { logits: labelLogits(head, weightedMean(embeddings, weights)), weights };
}

/** Of length one, but for embeddings that cancel each other, whose mean is 0. */
function weightedMean(
  embeddings: readonly Float32Array[],
  weights: readonly number[],
): Float32Array {
  const mean = new Float32Array(embeddings[0]!.length);
  embeddings.forEach((embedding, i) => {
    for (let k = 0; k < mean.length; k++) mean[k]! += weights[i]! * embedding[k]!;
  });
  const length = Math.hypot(...mean);
  return length === 0 ? mean : mean.map((value) => value / length);
}

function labelLogits(head: Head, e: Float32Array): number[] {
  const { prototypes, prototypesPerLabel: each, scale, columns = [1] } = head;
  const cosine = (row: number): number =>
    dot(prototypes.data.subarray(row * e.length, (row + 1) * e.length), e);
  const logitOf = (label: number): number =>
    columns.reduce((sum, weight, column) => {
      const first = (label * columns.length + column) * each;
      const scaled = Array.from(
        { length: each },
        (_, k) => (scale / Math.sqrt(weight)) * cosine(first + k),
      );
      return sum + weight * (logSumExp(scaled) - Math.log(each));
    }, 0);
  const labels = prototypes.data.length / (e.length * columns.length * each);
  return Array.from({ length: labels }, (_, label) => logitOf(label));
}

/** softmax(logits / temperature + log(prior / assumed)). */
export function toProbabilities(
  logits: readonly number[],
  temperature: number,
  prior: readonly number[],
  assumed: readonly number[],
): number[] {
  return softmax(logits.map((logit, i) => logit / temperature + Math.log(prior[i]! / assumed[i]!)));
}

/** The temperature of a group of `views` views; beyond the table its last entry holds. */
export function temperatureFor(temperatures: readonly number[], views: number): number {
  return temperatures[Math.min(views, temperatures.length) - 1]!;
}

export function softmax(values: readonly number[]): number[] {
  const most = Math.max(...values);
  const exponentials = values.map((value) => Math.exp(value - most));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}

function logSumExp(values: readonly number[]): number {
  const most = Math.max(...values);
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
}

function dot(a: Float32Array, b: Float32Array | readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
