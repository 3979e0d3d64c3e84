import type { FusionView } from '../encoder/fusion.js';
import type { Model } from '../encoder/model.js';

/** Mean and deviation a dimension of embeddings. */
export interface EmbeddingStatistics {
  readonly mean: Float32Array;
  readonly deviation: Float32Array;
}

export function statisticsOf(embeddings: readonly Float32Array[]): EmbeddingStatistics {
  const width = embeddings[0]?.length ?? 0;
  const mean = new Float32Array(width);
  const deviation = new Float32Array(width);
  for (let d = 0; d < width; d++) {
    let [sum, square] = [0, 0];
    for (const embedding of embeddings) {
      sum += embedding[d]!;
      square += embedding[d]! ** 2;
    }
    mean[d] = sum / embeddings.length;
    deviation[d] = Math.sqrt(Math.max(1e-8, square / embeddings.length - mean[d]! ** 2));
  }
  return { mean, deviation };
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
