import { ClmexError } from '../core/errors.js';
import { softmax } from '../encoder/fusion.js';
import { Random } from '../encoder/random.js';
import { fitLogistic, logits, type LogisticProblem, type LogisticWeights } from './logistic.js';

export interface ProbeExample {
  readonly personId: string;
  readonly label: number;
  readonly vector: Float32Array;
}

/** Linear head: logits = W · standardised vector + b. */
export interface LinearProbe {
  /** Of the L2 penalty, over the number of examples. */
  readonly penalty: number;
  predict(vector: Float32Array): number[];
}

export interface ProbeOptions {
  readonly labels: number;
  /** L2 penalty of the weights, over the number of examples; chosen within the examples where absent. */
  readonly penalty?: number | undefined;
  /** Every label weighs the same, however rare. */
  readonly balanced?: boolean | undefined;
}

/** From strong to weak: each fit starts from the one before. */
const PENALTIES = [1000, 300, 100, 30, 10, 3, 1];
/** Near enough to compare penalties; the fit that counts goes on to the end. */
const ROUGH = 1e-4;
const INNER_FOLDS = 3;
const INNER_SEED = 1;

/**
 * Multinomial logistic regression on standardised vectors, to convergence: no randomness, the same
 * answer each time. The penalty is the one with the smallest log loss over folds of other people
 * within the examples, each label weighing as in the fit.
 */
export function fitLinearProbe(
  examples: readonly ProbeExample[],
  { labels, penalty, balanced = true }: ProbeOptions,
): LinearProbe {
  const chosen = penalty ?? choosePenalty(examples, labels, balanced);
  return new Fitting(examples, labels, balanced).fit(chosen);
}

function choosePenalty(
  examples: readonly ProbeExample[],
  labels: number,
  balanced: boolean,
): number {
  const folds = innerFolds(examples);
  const losses = PENALTIES.map(() => 0);
  for (let fold = 0; fold < INNER_FOLDS; fold++) {
    const inside = examples.filter((_, i) => folds[i] !== fold);
    const held = examples.filter((_, i) => folds[i] === fold);
    if (inside.length === 0 || held.length === 0) continue;
    const fitting = new Fitting(inside, labels, balanced);
    const weights = weightsOf(held, labels, balanced);
    PENALTIES.forEach((penalty, p) => {
      const probe = fitting.fit(penalty, ROUGH);
      held.forEach(({ vector, label }, i) => {
        losses[p]! -= weights[i]! * Math.log(Math.max(1e-12, probe.predict(vector)[label]!));
      });
    });
  }
  return PENALTIES[losses.indexOf(Math.min(...losses))]!;
}

/** By person; few examples of very few people are dealt out one by one. */
function innerFolds(examples: readonly ProbeExample[]): number[] {
  const people = examples.map(({ personId }) => personId);
  const disjoint = new Set(people).size >= INNER_FOLDS;
  return foldsOf(people, INNER_FOLDS, INNER_SEED, disjoint ? 'subject-disjoint' : 'leaky-random-images'); // prettier-ignore
}

/** One set of examples, fitted with one penalty after the other. */
class Fitting {
  readonly #problem: Omit<LogisticProblem, 'penalty'>;
  readonly #standard: (vector: Float32Array) => Float64Array;
  #last: LogisticWeights | undefined;

  constructor(examples: readonly ProbeExample[], labels: number, balanced: boolean) {
    const width = examples[0]?.vector.length ?? 0;
    this.#standard = standardizer(examples.map(({ vector }) => vector));
    const inputs = new Float64Array(examples.length * width);
    examples.forEach(({ vector }, i) => inputs.set(this.#standard(vector), i * width));
    const labelOf = examples.map(({ label }) => label);
    const weights = weightsOf(examples, labels, balanced);
    this.#problem = { labels, width, inputs, labelOf, weights };
  }

  fit(penalty: number, tolerance?: number): LinearProbe {
    const { labels, width, labelOf } = this.#problem;
    const problem = { ...this.#problem, penalty: penalty / labelOf.length, tolerance };
    const weights = (this.#last = fitLogistic(problem, this.#last));
    const scores = new Float64Array(labels);
    return {
      penalty,
      predict: (vector) => {
        logits(weights, this.#standard(vector), 0, width, scores);
        return softmax([...scores]);
      },
    };
  }
}

/** Of each example; they sum to 1. */
function weightsOf(
  examples: readonly ProbeExample[],
  labels: number,
  balanced: boolean,
): Float64Array {
  const counts = new Array<number>(labels).fill(0);
  for (const { label } of examples) counts[label]!++;
  const occurring = counts.filter((count) => count > 0).length;
  return Float64Array.from(examples, ({ label }) =>
    balanced ? 1 / (occurring * counts[label]!) : 1 / examples.length,
  );
}

function standardizer(vectors: readonly Float32Array[]): (vector: Float32Array) => Float64Array {
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
  return (vector) => Float64Array.from(vector, (value, i) => (value - mean[i]!) * scale[i]!);
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
