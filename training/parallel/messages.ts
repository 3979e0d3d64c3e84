import type { SeededGroup } from '../batch.js';
import type { GeometryFrame } from '../geometry-frame.js';
import type { Predicted } from '../learner.js';
import type { Recipe } from '../recipe.js';

/** What the owner of the training says to a worker. */
export type ToWorker =
  | {
      readonly kind: 'start';
      readonly recipe: Recipe;
      readonly frame: GeometryFrame | undefined;
      readonly labels: readonly string[];
      readonly predicted: Predicted;
    }
  | {
      readonly kind: 'step';
      /** Of the encoder alone. */
      readonly parameters: Float32Array;
      readonly groups: readonly SeededGroup[];
      /** Of this worker's rows in the batch. */
      readonly share: number;
    }
  /** Only augments, and learns nothing. */
  | { readonly kind: 'prepare'; readonly groups: readonly SeededGroup[] }
  /** Answer to `means`: over the whole batch. */
  | { readonly kind: 'means'; readonly values: Float32Array }
  /** Answer to `embeddings`: the loss's gradient with respect to them. */
  | { readonly kind: 'gradient'; readonly values: Float32Array };

/** What a worker says; in a step: means any number of times, embeddings, means again, done. */
export type FromWorker =
  | { readonly kind: 'ready' }
  /** Of its own rows, already times its share. */
  | { readonly kind: 'means'; readonly values: Float32Array }
  | {
      readonly kind: 'embeddings';
      readonly values: Float32Array;
      /** What the other stream sees of these rows; see Batch. */
      readonly geometry: Float32Array;
    }
  /** Answer to `prepare`; see Batch. */
  | { readonly kind: 'prepared'; readonly images: Float32Array; readonly geometry: Float32Array }
  | { readonly kind: 'done'; readonly gradient: Float32Array; readonly statistics: Float32Array }
  | { readonly kind: 'failed'; readonly message: string };

/**
 * Consecutive groups for each worker, about as many rows each; where there are fewer groups than
 * workers, the last ones have none to do.
 */
export function shareOut(groups: readonly SeededGroup[], workers: number): SeededGroup[][] {
  const rows = rowsOf(groups);
  const shares: SeededGroup[][] = Array.from({ length: workers }, () => []);
  let before = 0;
  for (const group of groups) {
    const middle = before + group.views.length / 2;
    shares[Math.min(workers - 1, Math.floor((middle * workers) / rows))]!.push(group);
    before += group.views.length;
  }
  return shares.filter((share) => share.length > 0);
}

export const rowsOf = (groups: readonly SeededGroup[]): number =>
  groups.reduce((sum, { views }) => sum + views.length, 0);
