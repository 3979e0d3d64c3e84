import { DEFAULT_CROP } from '../encoder/crop.js';
import { cropNormalizer, DEFAULT_MASK } from '../encoder/normalize.js';
import { createAugmenter } from './augment.js';
import type { Preparation } from './batch.js';
import type { GeometryFrame } from './geometry-frame.js';
import type { Recipe } from './recipe.js';

/** How a run's crops become the network's input. */
export function preparationOf(recipe: Recipe, frame: GeometryFrame | undefined): Preparation {
  return {
    size: DEFAULT_CROP.size,
    frame,
    normalize: cropNormalizer(DEFAULT_CROP.size, DEFAULT_MASK),
    augmenter: createAugmenter(DEFAULT_CROP.size, recipe.augmentation),
  };
}
