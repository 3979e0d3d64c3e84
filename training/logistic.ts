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

const MEMORY = 10;
const MOST_STEPS = 500;
const TOLERANCE = 1e-6;
const SUFFICIENT = 1e-4;
const MOST_HALVINGS = 30;

/**
 * Multinomial logistic regression: minimises Σ weight · −log softmax(W x + b)[label] + λ/2 |W|² by
 * L-BFGS (Nocedal & Wright 2006, algorithm 7.4) with backtracking, until no derivative is larger
 * than the tolerance. The loss is convex, so where it ends does not depend on where it starts.
 */
export function fitLogistic(problem: LogisticProblem, start?: LogisticWeights): LogisticWeights {
  let at = start?.slice() ?? new Float64Array(problem.labels * (problem.width + 1));
  let gradient = new Float64Array(at.length);
  let loss = evaluateLoss(problem, at, gradient);
  const steps: Float64Array[] = [];
  const changes: Float64Array[] = [];
  for (
    let step = 0;
    step < MOST_STEPS && largest(gradient) > (problem.tolerance ?? TOLERANCE);
    step++
  ) {
    const direction = descend(gradient, steps, changes);
    const slope = dot(direction, gradient);
    let length = steps.length === 0 ? 1 / Math.max(1, Math.sqrt(dot(gradient, gradient))) : 1;
    let next = at;
    let nextGradient = gradient;
    let nextLoss = Infinity;
    for (let half = 0; half < MOST_HALVINGS; half++, length /= 2) {
      next = at.map((value, i) => value + length * direction[i]!);
      nextGradient = new Float64Array(at.length);
      nextLoss = evaluateLoss(problem, next, nextGradient);
      if (nextLoss <= loss + SUFFICIENT * length * slope) break;
    }
    if (!(nextLoss < loss)) break; // No better place that numbers can tell.
    remember(steps, next.map((value, i) => value - at[i]!)); // prettier-ignore
    remember(changes, nextGradient.map((value, i) => value - gradient[i]!)); // prettier-ignore
    [at, gradient, loss] = [next, nextGradient, nextLoss];
  }
  return at;
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

/** Two-loop recursion: −H · gradient for the remembered curvature. */
function descend(gradient: Float64Array, steps: readonly Float64Array[], changes: readonly Float64Array[]): Float64Array {
  const direction = gradient.map((value) => -value);
  const rates = steps.map((step, i) => 1 / dot(step, changes[i]!));
  const shares: number[] = [];
  for (let i = steps.length - 1; i >= 0; i--) {
    shares[i] = rates[i]! * dot(steps[i]!, direction);
    addScaled(direction, changes[i]!, -shares[i]!);
  }
  const last = steps.length - 1;
  if (last >= 0) {
    const scale = 1 / (rates[last]! * dot(changes[last]!, changes[last]!));
    direction.forEach((value, i) => (direction[i] = scale * value));
  }
  for (let i = 0; i < steps.length; i++) {
    addScaled(direction, steps[i]!, shares[i]! - rates[i]! * dot(changes[i]!, direction));
  }
  return direction;
} // prettier-ignore

function remember(list: Float64Array[], entry: Float64Array): void {
  list.push(entry);
  if (list.length > MEMORY) list.shift();
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function addScaled(a: Float64Array, b: Float64Array, scale: number): void {
  for (let i = 0; i < a.length; i++) a[i]! += scale * b[i]!;
}

const largest = (values: Float64Array): number =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
