import { ClmexError } from '../core/errors.js';
import { SPLITS, type Split } from '../training/dataset/shard.js';
import type { RenderedSet } from '../training/index.js';

/**
 * Indices of the groups of a split of the rendered set that `--data` names.
 * @throws ClmexError `invalid-argument` where nobody is of that split.
 */
export function requireSplit(rendered: RenderedSet, data: string, split: Split): number[] {
  const indices = rendered.indices(split);
  if (indices.length > 0) return indices;
  const held = SPLITS.filter((one) => rendered.indices(one).length > 0);
  throw new ClmexError('invalid-argument', `holds nobody of the ${split} split`, {
    field: '--data',
    value: data,
    allowed: `a rendered set, or a folder of several, with ${split} people; these are of ${held.join(' and ')}`,
  });
}
