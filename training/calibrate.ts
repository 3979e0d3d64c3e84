import { fuseViews, softmax, type Head } from '../encoder/fusion.js';
import { Random } from '../encoder/random.js';
import { logLoss } from './metrics.js';
import type { EmbeddedGroup } from './validate.js';

const SUBSETS_PER_GROUP = 3;
const [LEAST, MOST] = [0.2, 5];
const ROUNDS = 40;

/**
 * One temperature per number of views: the one with the least log loss (Guo et al. 2017) on random
 * subsets of held-out groups. Entry n − 1 is for n views; a number that no group has takes the last.
 */
export function fitTemperatures(
  groups: readonly EmbeddedGroup[],
  head: Head,
  most: number,
): number[] {
  const random = new Random(1);
  const temperatures: number[] = [];
  for (let count = 1; count <= most; count++) {
    const subsets = groups
      .filter(({ views }) => views.length >= count)
      .flatMap((group) =>
        Array.from({ length: SUBSETS_PER_GROUP }, () => ({
          label: group.label,
          views: random.shuffle([...group.views]).slice(0, count),
        })),
      );
    const logits = subsets.map(({ label, views }) => ({
      label,
      logits: fuseViews(
        head,
        views.map(({ embedding }) => embedding),
        views,
      ).logits,
    }));
    temperatures.push(logits.length === 0 ? (temperatures.at(-1) ?? 1) : bestTemperature(logits));
  }
  return temperatures;
}

/** Golden-section search over log T; the loss has one minimum there. */
export function bestTemperature(
  examples: readonly { label: number; logits: readonly number[] }[],
): number {
  const loss = (log: number): number =>
    logLoss(
      examples.map(({ label, logits }) => ({
        label,
        probabilities: softmax(logits.map((logit) => logit / Math.exp(log))),
      })),
    );
  const golden = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [Math.log(LEAST), Math.log(MOST)];
  for (let round = 0; round < ROUNDS; round++) {
    const [left, right] = [high - golden * (high - low), low + golden * (high - low)];
    if (loss(left) < loss(right)) high = right;
    else low = left;
  }
  return Math.exp((low + high) / 2);
}
