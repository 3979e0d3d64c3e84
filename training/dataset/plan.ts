import { EXPRESSION_LABELS, type ExpressionLabel } from '../../core/types.js';
import { SPLITS, type Split } from './shard.js';

/** What one capture of a set will show. */
interface PlannedCapture {
  readonly portraitId: string;
  readonly variant: number;
  readonly label: ExpressionLabel;
  /** Seeds everything random about it. */
  readonly seed: string;
}

/** A piece of work: one shard, all of one split. */
export interface PlannedShard {
  readonly number: number;
  readonly split: Split;
  readonly captures: readonly PlannedCapture[];
}

export interface DatasetPlan {
  /** Rendered people, over all splits; several may share a skin, never across splits. */
  readonly subjects: number;
  readonly captures: number;
  readonly seed: number;
}

/** Beyond the portraits' own shapes each seed has people of its own, up to this many a portrait. */
const VARIANTS_A_SEED = 1000;

/** Captures a shard: few enough that an interrupted run loses little. */
export const SHARD_CAPTURES = 20;

const SHARES: Readonly<Record<Split, number>> = { train: 0.8, validation: 0.12, test: 0.08 };

/**
 * Divides a set into shards. A shard shows few people, so that few skins are in memory; the labels
 * are balanced within it. A smaller set with the same seed and subjects begins like a larger one.
 * @param portraits ids of the skins of each split
 */
export function planDataset(
  { subjects, captures, seed }: DatasetPlan,
  portraits: (split: Split) => readonly string[],
): PlannedShard[] {
  const people = Object.fromEntries(
    SPLITS.map((split) => {
      const skins = portraits(split);
      const count = Math.max(1, Math.round(subjects * SHARES[split]));
      const ids = Array.from({ length: skins.length === 0 ? 0 : count }, (_, i) => ({
        portraitId: skins[i % skins.length]!,
        variant: variantOf(Math.floor(i / skins.length), seed),
      }));
      return [split, ids];
    }),
  ) as Record<Split, { portraitId: string; variant: number }[]>;
  const done: Record<Split, number> = { train: 0, validation: 0, test: 0 };
  return Array.from({ length: Math.ceil(captures / SHARD_CAPTURES) }, (_, number) => {
    const split = neediest(done, number);
    const shard = done[split]++;
    const pool = people[split];
    const count = Math.min(SHARD_CAPTURES, captures - number * SHARD_CAPTURES);
    return {
      number,
      split,
      captures: Array.from({ length: pool.length === 0 ? 0 : count }, (_unused, i) => ({
        ...pool[(shard * 2 + (i % 2)) % pool.length]!,
        label:
          EXPRESSION_LABELS[(Math.floor(i / 2) + (i % 2) * 3 + shard) % EXPRESSION_LABELS.length]!,
        seed: `${String(seed)} ${String(number)} ${String(i)}`,
      })),
    };
  });
}

/** The first layer are the portraits' own shapes, the same in every set. */
const variantOf = (layer: number, seed: number): number =>
  layer === 0 ? 0 : seed * VARIANTS_A_SEED + layer;

/** The split that is furthest behind its share. */
function neediest(done: Readonly<Record<Split, number>>, number: number): Split {
  let worst: Split = 'train';
  let gap = -Infinity;
  for (const split of SPLITS) {
    const behind = (number + 1) * SHARES[split] - done[split];
    if (behind > gap) [worst, gap] = [split, behind];
  }
  return worst;
}
