import {
  softmax,
  viewFeatures,
  viewLogits,
  VIEW_FEATURES,
  type FusionView,
  type Head,
} from '../encoder/fusion.js';
import { Random } from '../encoder/random.js';
import { minimise } from './optimise/minimise.js';

/** A moment of somebody whom the encoder did not learn from. */
export interface AttendedGroup {
  readonly label: number;
  readonly views: readonly (FusionView & { readonly embedding: Float32Array })[];
}

/** λ of λ/2 · |change|² over the mean log loss: attention stays near what training found. */
const PENALTY = 3e-4;
const SUBSETS_PER_GROUP = 4;
const SEED = 1;

/**
 * Attention anew, for views that are as uncertain as those of strangers: in training the encoder knows its
 * people, and learns to trust steep views that say little of anybody else. Minimises the log loss of
 * fused random subsets of two views to all, each number of views with a temperature of its own, by
 * L-BFGS; prototypes stay.
 * @returns the head itself where no group has two views.
 */
export function fitAttention(
  groups: readonly AttendedGroup[],
  head: Head,
  penalty = PENALTY,
): Head {
  const examples = subsetsOf(groups, head);
  if (examples.length === 0) return head;
  const start = startOf(head, Math.max(...examples.map(({ views }) => views.length)));
  const found = minimise(
    (at, out) => attentionLoss({ examples, start, penalty }, at, out),
    start,
    1e-5,
  );
  const width = head.query.data.length;
  return {
    ...head,
    query: { ...head.query, data: Float32Array.from(found.subarray(0, width)) },
    viewBias: {
      ...head.viewBias,
      data: Float32Array.from(found.subarray(width, width + VIEW_FEATURES)),
    },
  };
}

interface SeenView {
  /** What the attention is linear in: the embedding, then pose and quality. */
  readonly input: Float64Array;
  /** A label's logit. */
  readonly logits: readonly number[];
}

/** Some views of one group. */
export interface AttentionExample {
  readonly label: number;
  readonly views: readonly SeenView[];
}

export function subsetsOf(groups: readonly AttendedGroup[], head: Head): AttentionExample[] {
  const random = new Random(SEED);
  return groups
    .filter(({ views }) => views.length > 1)
    .flatMap(({ label, views }) => {
      const seen = views.map((view) => ({
        input: Float64Array.from([...view.embedding, ...viewFeatures(view)]),
        logits: viewLogits(head, view.embedding),
      }));
      return Array.from({ length: SUBSETS_PER_GROUP }, () => {
        const size = 2 + random.integer(views.length - 1);
        return { label, views: random.shuffle([...seen]).slice(0, size) };
      });
    });
}

/** Query and bias as they are, then the logarithm of a temperature for two views to `most`. */
export function startOf({ query, viewBias }: Head, most: number): Float64Array {
  return Float64Array.from([...query.data, ...viewBias.data, ...Array<number>(most - 1).fill(0)]);
}

export interface AttentionProblem {
  readonly examples: readonly AttentionExample[];
  readonly start: Float64Array;
  readonly penalty: number;
}

/** Mean log loss and penalty at these numbers; the derivative is added into `gradient`. */
export function attentionLoss(
  { examples, start, penalty }: AttentionProblem,
  at: Float64Array,
  gradient: Float64Array,
): number {
  let loss = 0;
  const width = examples[0]!.views[0]!.input.length;
  for (const { label, views } of examples) {
    const temperatureAt = width + views.length - 2;
    const temperature = Math.exp(at[temperatureAt]!);
    const attention = softmax(views.map(({ input }) => scalar(at, input)));
    const fused = views[0]!.logits.map((_, l) =>
      views.reduce((sum, { logits }, v) => sum + attention[v]! * logits[l]!, 0),
    );
    const p = softmax(fused.map((logit) => logit / temperature));
    loss -= Math.log(Math.max(p[label]!, Number.MIN_VALUE)) / examples.length;
    const errors = p.map((value, l) => (value - (l === label ? 1 : 0)) / examples.length);
    gradient[temperatureAt]! -= errors.reduce((sum, e, l) => sum + e * fused[l]!, 0) / temperature;
    const pulls = views.map(
      ({ logits }) => errors.reduce((sum, e, l) => sum + e * logits[l]!, 0) / temperature,
    );
    const mean = pulls.reduce((sum, pull, v) => sum + attention[v]! * pull, 0);
    views.forEach(({ input }, v) => {
      const pull = attention[v]! * (pulls[v]! - mean);
      for (let i = 0; i < width; i++) gradient[i]! += pull * input[i]!;
    });
  }
  for (let i = 0; i < width; i++) {
    const change = at[i]! - start[i]!;
    loss += (penalty / 2) * change * change;
    gradient[i]! += penalty * change;
  }
  return loss;
}

function scalar(weights: Float64Array, input: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < input.length; i++) sum += weights[i]! * input[i]!;
  return sum;
}
