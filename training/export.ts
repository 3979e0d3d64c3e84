import { ClmexError } from '../core/errors.js';
import { DEFAULT_CROP } from '../encoder/crop.js';
import { createModel, type Model } from '../encoder/model.js';
import type { Network } from '../encoder/index.js';
import { DEFAULT_MASK } from '../encoder/normalize.js';
import { saveModel, type ModelDescription } from '../encoder/package.js';
import { blend } from './blend.js';
import { sideBySide, type Column } from './columns.js';
import { fitTemperatures } from './calibrate.js';
import type { Checkpoint } from './checkpoint.js';
import type { GroupSet, LabelledView } from './dataset/groups.js';
import { evaluate, type Evaluation } from './evaluate.js';
import { unpackFrame } from './geometry-frame.js';
import { createLearner, toNetwork } from './learner.js';
import type { OnEmbedded } from './embed.js';
import { embedGroups } from './validate.js';
import { statisticsOf } from './statistics.js';

/** Rigs have up to eight cameras. */
const MOST_VIEWS = 8;
/** They tell how long the answers of columns are. */
const MEASURED_VIEWS = 512;

export interface ExportOptions {
  readonly checkpoint: Checkpoint;
  readonly set: GroupSet;
  /** People the run never trained on: temperatures are fitted to them. */
  readonly validation: readonly number[];
  /** People nothing was fitted to: the manifest's table is measured on them. */
  readonly test: readonly number[];
  readonly name: string;
  readonly directory: string;
  /** Another network to average with, and the run's share in it. */
  readonly blend?: { readonly other: Network; readonly share: number } | undefined;
  /** Of landmarks in an embedding; without one the recipe's. */
  readonly geometryShare?: number | undefined;
  /** Further networks of the package; the run's, averaged where it is to be, has a weight of 1 beside theirs. */
  readonly beside?: readonly Column[];
  /** What the manifest says of the data beside the recipe: source, seeds, counts, licences. */
  readonly provenance: Readonly<Record<string, unknown>>;
  /** The command that measures the table again. */
  readonly tableCommand: string;
  /** Of those who calibrate, then of those who measure. */
  readonly onEmbedded?: OnEmbedded;
}

/** A run's averaged weights. */
export function networkOf({ recipe, labels, arrays, ...predicted }: Checkpoint): Network {
  const frame = arrays['frame'];
  return toNetwork(
    createLearner(recipe, labels, predicted),
    recipe,
    arrays['meanParameters']!,
    arrays['meanStatistics']!,
    frame && unpackFrame(frame),
  );
}

/**
 * Writes a run's averaged weights as a model package: calibrated, measured, hashed.
 * @throws ClmexError `invalid-argument` where landmarks are to have a share and the network knows none.
 */
export async function exportModel(options: ExportOptions): Promise<Evaluation> {
  const { checkpoint, set, directory, name } = options;
  const { recipe, labels } = checkpoint;
  const own = networkOf(checkpoint);
  const blended = options.blend ? blend(own, options.blend.other, options.blend.share) : own;
  const columns = [{ network: blended, weight: 1 }, ...(options.beside ?? [])];
  const joined =
    columns.length === 1 ? blended : await sideBySide(columns, someViews(set, options.validation));
  const network = withGeometryShare(joined, options.geometryShare);
  const embed = (indices: readonly number[]) =>
    embedGroups(set, indices, Infinity, network, options.onEmbedded);
  const held = await embed(options.validation);
  const statistics = statisticsOf(
    held.flatMap(({ views }) => views.map(({ embedding }) => embedding)),
  );
  const description: ModelDescription = {
    name,
    labels: [...labels],
    crop: { ...DEFAULT_CROP, mask: DEFAULT_MASK },
    temperatures: fitTemperatures(held, network.head, MOST_VIEWS).map(rounded),
    // Batches are balanced, so this is the prior the network has learned.
    prior: labels.map(() => 1 / labels.length),
    training: {
      ...options.provenance,
      steps: checkpoint.step,
      recipe,
      ...(network.geometry && { geometryShare: network.geometry.share }),
      embeddingMean: [...statistics.mean].map(rounded),
    },
    table: {},
  };
  const manifest = await saveModel(directory, description, network);
  const model: Model = createModel(manifest, network);
  const table = evaluate(model, await embed(options.test));
  await saveModel(
    directory,
    { ...description, table: { command: options.tableCommand, ...table } },
    network,
  );
  return table;
}

function someViews(set: GroupSet, indices: readonly number[]): LabelledView[] {
  const views: LabelledView[] = [];
  for (const index of indices) {
    if (views.length >= MEASURED_VIEWS) break;
    views.push(...set.read(index).views);
  }
  return views;
}

function withGeometryShare(network: Network, share: number | undefined): Network {
  if (share === undefined) return network;
  if (network.geometry) return { ...network, geometry: { ...network.geometry, share } };
  throw new ClmexError(
    'invalid-argument',
    'is of landmarks, which the run’s network does not see',
    {
      field: '--geometry-share',
      value: share,
      allowed: 'runs whose recipe has geometry',
    },
  );
}

const rounded = (value: number): number => Math.round(value * 1e5) / 1e5;
