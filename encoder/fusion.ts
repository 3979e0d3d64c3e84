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
  /** [labels × prototypes, embedding], unit rows; a label's prototypes lie together. */
  readonly prototypes: Weights;
  readonly prototypesPerLabel: number;
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
 * Attention fusion: weights = softmax(query · e + bias · features); a prototype's similarity is the
 * weighted mean of its cosines with the views; a label's logit is the log-mean-exp of its scaled
 * prototypes' similarities.
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
  const width = head.query.data.length;
  const similarities = Array.from({ length: head.prototypes.data.length / width }, (_, k) => {
    const prototype = head.prototypes.data.subarray(k * width, (k + 1) * width);
    return embeddings.reduce(
      (sum, embedding, i) => sum + weights[i]! * dot(prototype, embedding),
      0,
    );
  });
  const count = head.prototypesPerLabel;
  const logits = Array.from({ length: similarities.length / count }, (_, label) => {
    const own = similarities.slice(label * count, (label + 1) * count);
    return logSumExp(own.map((similarity) => head.scale * similarity)) - Math.log(count);
  });
  return { logits, weights };
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
