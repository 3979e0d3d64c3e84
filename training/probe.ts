import { ClmexError } from '../core/errors.js';
import { softmax } from '../encoder/fusion.js';
import { Random } from '../encoder/random.js';

export interface ProbeExample {
  readonly personId: string;
  readonly label: number;
  readonly vector: Float32Array;
}

/** Linear head: logits = W · standardised vector + b. */
export interface LinearProbe {
  predict(vector: Float32Array): number[];
}

export interface ProbeOptions {
  readonly labels: number;
  /** L2 penalty of the weights, over the number of examples. */
  readonly penalty?: number | undefined;
  /** Every label weighs the same, however rare. */
  readonly balanced?: boolean | undefined;
  readonly steps?: number | undefined;
}

/**
 * Multinomial logistic regression by Nesterov's accelerated gradient on standardised features, full
 * batch: no randomness, the same answer each time.
 */
export function fitLinearProbe(
  examples: readonly ProbeExample[],
  { labels, penalty = 10, balanced = true, steps = 400 }: ProbeOptions,
): LinearProbe {
  const width = examples[0]?.vector.length ?? 0;
  const n = examples.length;
  const standard = standardizer(examples.map(({ vector }) => vector));
  const inputs = examples.map(({ vector }) => standard(vector));
  const counts = new Array<number>(labels).fill(0);
  for (const { label } of examples) counts[label]!++;
  const occurring = counts.filter((count) => count > 0).length;
  const weightOf = (label: number): number => (balanced ? n / (occurring * counts[label]!) : 1);
  const stride = width + 1;
  let weights = new Float64Array(labels * stride);
  let ahead = weights.slice();
  // The softmax's curvature is at most half the mean squared length of the inputs.
  const rate = 1 / (0.5 * (width + 1) + penalty / n);
  for (let step = 0; step < steps; step++) {
    const gradient = new Float64Array(weights.length);
    inputs.forEach((input, i) => {
      const { label } = examples[i]!;
      const probabilities = softmax(linear(ahead, input, labels));
      const share = weightOf(label) / n;
      for (let c = 0; c < labels; c++) {
        const error = share * (probabilities[c]! - (c === label ? 1 : 0));
        const at = c * stride;
        for (let d = 0; d < width; d++) gradient[at + d]! += error * input[d]!;
        gradient[at + width]! += error;
      }
    });
    const next = ahead.map(
      (value, i) =>
        value - rate * (gradient[i]! + (i % stride === width ? 0 : (penalty / n) * value)),
    );
    const momentum = step / (step + 3);
    ahead = next.map((value, i) => value + momentum * (value - weights[i]!));
    weights = next;
  }
  return { predict: (vector) => softmax(linear(weights, standard(vector), labels)) };
}

function linear(weights: Float64Array, input: Float32Array, labels: number): number[] {
  const stride = input.length + 1;
  return Array.from({ length: labels }, (_, c) => {
    let sum = weights[c * stride + input.length]!;
    for (let d = 0; d < input.length; d++) sum += weights[c * stride + d]! * input[d]!;
    return sum;
  });
}

function standardizer(vectors: readonly Float32Array[]): (vector: Float32Array) => Float32Array {
  const width = vectors[0]?.length ?? 0;
  const mean = new Float64Array(width);
  const square = new Float64Array(width);
  for (const vector of vectors) {
    vector.forEach((value, i) => {
      mean[i]! += value / vectors.length;
      square[i]! += (value * value) / vectors.length;
    });
  }
  const scale = mean.map((value, i) => 1 / Math.sqrt(Math.max(1e-12, square[i]! - value * value)));
  return (vector) => vector.map((value, i) => (value - mean[i]!) * scale[i]!);
}

export type FoldProtocol = 'subject-disjoint' | 'leaky-random-images';

/**
 * A fold number an example. Subject-disjoint: all of a person in one fold, folds of like size. The
 * leaky protocol of earlier papers deals pictures out at random, so that people are in both parts.
 * @throws ClmexError `invalid-argument` where there are fewer people than folds.
 */
export function foldsOf(
  people: readonly string[],
  folds: number,
  seed: number,
  protocol: FoldProtocol = 'subject-disjoint',
): number[] {
  const random = new Random(seed);
  if (protocol === 'leaky-random-images') {
    const order = random.shuffle(people.map((_, i) => i));
    const fold = new Array<number>(people.length);
    order.forEach((example, place) => (fold[example] = place % folds));
    return fold;
  }
  const sizes = new Map<string, number>();
  for (const person of people) sizes.set(person, (sizes.get(person) ?? 0) + 1);
  if (sizes.size < folds) {
    throw new ClmexError('invalid-argument', 'needs at least as many people as folds', {
      field: 'probe',
      value: folds,
      allowed: `2 to ${sizes.size}`,
    });
  }
  const filled = new Array<number>(folds).fill(0);
  const foldOfPerson = new Map<string, number>();
  const order = random.shuffle([...sizes]).sort((a, b) => b[1] - a[1]);
  for (const [person, size] of order) {
    const smallest = filled.indexOf(Math.min(...filled));
    foldOfPerson.set(person, smallest);
    filled[smallest]! += size;
  }
  return people.map((person) => foldOfPerson.get(person)!);
}

/** Each example's probabilities from the probe of the folds it is not in. */
export function crossValidate(
  examples: readonly ProbeExample[],
  folds: readonly number[],
  options: ProbeOptions,
): number[][] {
  const result = new Array<number[]>(examples.length);
  for (const fold of new Set(folds)) {
    const probe = fitLinearProbe(
      examples.filter((_, i) => folds[i] !== fold),
      options,
    );
    examples.forEach(({ vector }, i) => {
      if (folds[i] === fold) result[i] = probe.predict(vector);
    });
  }
  return result;
}
