import { z } from 'zod';
import { ClmexError } from '../core/errors.js';
import type { FusionView } from '../encoder/fusion.js';
import type { Model } from '../encoder/model.js';

/** Mean a dimension of many faces' embeddings. */
export interface EmbeddingStatistics {
  readonly mean: Float32Array;
}

/** What the package says of the embeddings its head was fitted to. */
export function trainingStatistics({ manifest }: Model): EmbeddingStatistics {
  const parsed = z
    .array(z.number())
    .length(manifest.network.embedding)
    .safeParse(manifest.training['embeddingMean']);
  if (!parsed.success) {
    throw new ClmexError(
      'unsupported',
      'the package holds no statistics of its training embeddings',
      {
        field: 'manifest.training.embeddingMean',
      },
    );
  }
  return { mean: Float32Array.from(parsed.data) };
}

export function statisticsOf(embeddings: readonly Float32Array[]): EmbeddingStatistics {
  const mean = new Float32Array(embeddings[0]?.length ?? 0);
  for (const embedding of embeddings) {
    embedding.forEach((value, d) => (mean[d]! += value / embeddings.length));
  }
  return { mean };
}

/**
 * The model for a site whose faces lie elsewhere than the training faces: embeddings are shifted
 * from the site's statistics to those of training, then scaled to length one again. Needs no labels.
 */
export function withStatistics(
  model: Model,
  site: EmbeddingStatistics,
  training: EmbeddingStatistics,
): Model {
  const move = (embedding: Float32Array): Float32Array => {
    const moved = embedding.map((value, d) => value - site.mean[d]! + training.mean[d]!);
    const length = Math.hypot(...moved) || 1;
    return moved.map((value) => value / length);
  };
  return {
    ...model,
    fuse: (embeddings: readonly Float32Array[], views: readonly FusionView[], options) =>
      model.fuse(embeddings.map(move), views, options),
  };
}
