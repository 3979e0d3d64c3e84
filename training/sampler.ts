import { ClmexError } from '../core/errors.js';
import { Random } from '../encoder/random.js';
import type { GroupSet } from './dataset/groups.js';

/** A group and which of its views a batch takes. */
export interface Drawn {
  readonly group: number;
  readonly views: readonly number[];
}

export interface BatchShape {
  readonly people: number;
  readonly captures: number;
  readonly views: number;
}

export type Sampler = (random: Random) => Drawn[];

/** Random numbers of one step alone: a resumed run draws what an unbroken one would have drawn. */
export function stepRandom(seed: number, step: number): Random {
  return new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(step + 1, 0x85ebca6b));
}

/**
 * Several captures of each of several people: the other captures of one person are negatives that
 * share everything but the expression, so identity is no shortcut.
 */
export function peopleSampler(
  set: GroupSet,
  indices: readonly number[],
  shape: BatchShape,
): Sampler {
  const people = byKey(indices, (index) => set.info(index).personId);
  if (people.length < 2) {
    throw new ClmexError('invalid-argument', 'contrastive training needs at least two people', {
      field: 'data',
      value: people.length,
    });
  }
  return (random) => {
    const chosen = pick(people, shape.people, random);
    return chosen.flatMap((captures) =>
      pick(captures, shape.captures, random).map((group) =>
        drawViews(set, group, shape.views, random),
      ),
    );
  };
}

/** As many groups, every label as often as any other. */
export function balancedSampler(
  set: GroupSet,
  indices: readonly number[],
  shape: BatchShape,
): Sampler {
  const labels = byKey(indices, (index) => set.info(index).label);
  if (labels.length < 2) {
    throw new ClmexError('invalid-argument', 'finetuning needs at least two labels that occur', {
      field: 'data',
      value: labels.length,
    });
  }
  const count = shape.people * shape.captures;
  return (random) => {
    const start = random.integer(labels.length);
    return Array.from({ length: count }, (_, i) => {
      const groups = labels[(start + i) % labels.length]!;
      return drawViews(set, groups[random.integer(groups.length)]!, shape.views, random);
    });
  };
}

function drawViews(set: GroupSet, group: number, count: number, random: Random): Drawn {
  const all = Array.from({ length: set.read(group).views.length }, (_, i) => i);
  return { group, views: random.shuffle(all).slice(0, count) };
}

function byKey(indices: readonly number[], key: (index: number) => string | number): number[][] {
  const groups = new Map<string | number, number[]>();
  for (const index of indices) {
    const own = groups.get(key(index));
    if (own) own.push(index);
    else groups.set(key(index), [index]);
  }
  return [...groups.values()];
}

/** Without repetition; all where there are fewer. */
function pick<T>(items: readonly T[], count: number, random: Random): T[] {
  const order = random.shuffle(items.map((_, i) => i));
  return order.slice(0, count).map((i) => items[i]!);
}

/** The part of the groups whose labels are seen: that share of each label, at least one group. */
export function shareOfLabels(
  set: GroupSet,
  indices: readonly number[],
  share: number,
  seed: number,
): number[] {
  const random = new Random(seed);
  return byKey(indices, (index) => set.info(index).label).flatMap((groups) =>
    random.shuffle([...groups]).slice(0, Math.max(1, Math.round(share * groups.length))),
  );
}
