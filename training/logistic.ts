import { minimise } from './optimise/minimise.js';

/** Examples as the solver takes them. */
export interface LogisticProblem {
  readonly labels: number;
  readonly width: number;
  /** examples × width. */
  readonly inputs: Float64Array;
  readonly labelOf: readonly number[];
  /** Of each example in the loss; they sum to 1. */
  readonly weights: Float64Array;
  /** λ of λ/2 · |W|²; biases are free. */
  readonly penalty: number;
  /** Largest derivative at which the search ends, 1e-6 where absent. */
  readonly tolerance?: number | undefined;
}

/** labels × (width + 1): a label's weights, then its bias. */
export type LogisticWeights = Float64Array;

/**
 * Multinomial logistic regression: minimises Σ weight · −log softmax(W x + b)[label] + λ/2 |W|² until no
 * derivative is larger than the tolerance. The loss is convex, so where it ends does not depend on
 * where it starts.
 */
export function fitLogistic(problem: LogisticProblem, start?: LogisticWeights): LogisticWeights {
  return minimise(
    (at, gradient) => evaluateLoss(problem, at, gradient),
    start ?? new Float64Array(problem.labels * (problem.width + 1)),
    problem.tolerance,
  );
}

/** Σ weight · −log p + λ/2 |W|²; its derivative goes into `gradient`. */
function evaluateLoss(problem: LogisticProblem, at: Float64Array, gradient: Float64Array): number {
  const { labels, width, inputs, labelOf, weights, penalty } = problem;
  const stride = width + 1;
  const scores = new Float64Array(labels);
  let loss = 0;
  for (let n = 0; n < labelOf.length; n++) {
    logits(at, inputs, n * width, width, scores);
    const top = scores.reduce((a, b) => Math.max(a, b));
    let sum = 0;
    for (let c = 0; c < labels; c++) sum += Math.exp(scores[c]! - top);
    const normalizer = top + Math.log(sum);
    loss += weights[n]! * (normalizer - scores[labelOf[n]!]!);
    for (let c = 0; c < labels; c++) {
      const error = weights[n]! * (Math.exp(scores[c]! - normalizer) - (c === labelOf[n] ? 1 : 0));
      const row = c * stride;
      const from = n * width;
      for (let d = 0; d < width; d++) gradient[row + d]! += error * inputs[from + d]!;
      gradient[row + width]! += error;
    }
  }
  for (let i = 0; i < at.length; i++) {
    if (i % stride === width) continue;
    loss += (penalty / 2) * at[i]! * at[i]!;
    gradient[i]! += penalty * at[i]!;
  }
  return loss;
}

/** W x + b of the example that begins at `from`. */
export function logits(
  weights: LogisticWeights,
  inputs: Float64Array,
  from: number,
  width: number,
  out: Float64Array,
): void {
  for (let c = 0; c < out.length; c++) {
    const row = c * (width + 1);
    let sum = weights[row + width]!;
    for (let d = 0; d < width; d++) sum += weights[row + d]! * inputs[from + d]!;
    out[c] = sum;
  }
}
