import { ClmexError } from '../core/errors.js';
import { fuseViews, temperatureFor, toProbabilities, type FusionView } from './fusion.js';
import type { Network } from './archive.js';
import type { Manifest } from './manifest.js';
import { cropNormalizer } from './normalize.js';
import { joinView, viewPreparer, type ViewPreparer } from './view.js';

export interface FuseOptions {
  /** Share of each label at this site instead of the manifest's; positive, sums to 1. */
  readonly prior?: readonly number[] | undefined;
}

export interface FusedScores {
  /** Calibrated probability a label, in the manifest's order. */
  readonly probabilities: number[];
  /** Share of each view in the score; sums to 1. */
  readonly weights: number[];
}

/** A loaded model package: the network as a graph, and what stands before and behind it. */
export interface Model extends Network {
  readonly manifest: Manifest;
  /** Further files of the package, by name: the same network in other forms, `int8.onnx`. */
  readonly variants: ReadonlyMap<string, Uint8Array>;
  /**
   * A view's rows of the network's input.
   * @param crop size² grey bytes. @param out {@link ROWS_PER_VIEW} × size² numbers.
   */
  readonly prepare: ViewPreparer;
  /**
   * A view's embedding, a unit vector, from both streams, or from the network alone where there is no geometry.
   * @param pixels the network's answers to the view's rows. @param landmarks N × 3 of the 468- or 478-point mesh.
   */
  join(pixels: Float32Array, landmarks: Float32Array): Float32Array;
  /**
   * @param embeddings unit vectors of the views of one person at one instant, at least one.
   * @throws ClmexError `invalid-argument` without views, or with a prior that is none.
   */
  fuse(
    embeddings: readonly Float32Array[],
    views: readonly FusionView[],
    options?: FuseOptions,
  ): FusedScores;
}

export function createModel(
  manifest: Manifest,
  network: Network,
  variants: ReadonlyMap<string, Uint8Array> = new Map(),
): Model {
  const { size, mask } = manifest.crop;
  return {
    manifest,
    ...network,
    variants,
    prepare: viewPreparer(size, cropNormalizer(size, mask)),
    join: (pixels, landmarks) => joinView(pixels, network.geometry, landmarks),
    fuse: (embeddings, views, { prior = manifest.prior } = {}) => {
      requirePrior(prior, manifest.labels);
      const { logits, weights } = fuseViews(network.head, embeddings, views);
      const temperature = temperatureFor(manifest.temperatures, embeddings.length);
      return {
        probabilities: toProbabilities(logits, temperature, prior, manifest.prior),
        weights,
      };
    },
  };
}

/** The same model for a site where the labels have other shares. */
export function withPrior(model: Model, prior: readonly number[]): Model {
  requirePrior(prior, model.manifest.labels);
  return {
    ...model,
    fuse: (embeddings, views, options) =>
      model.fuse(embeddings, views, { prior: options?.prior ?? prior }),
  };
}

function requirePrior(prior: readonly number[], labels: readonly string[]): void {
  const sum = prior.reduce((total, share) => total + share, 0);
  if (
    prior.length === labels.length &&
    prior.every((share) => share > 0) &&
    Math.abs(sum - 1) < 1e-3
  )
    return;
  throw new ClmexError('invalid-argument', 'is no prior over the labels', {
    field: 'prior',
    value: prior,
    allowed: `${labels.length} positive numbers that sum to 1, for ${labels.join(', ')}`,
  });
}
