import { ClmexError } from '../core/errors.js';
import { DEFAULT_CROP } from '../encoder/crop.js';
import { createModel, type Model } from '../encoder/model.js';
import type { Head } from '../encoder/fusion.js';
import type { Network } from '../encoder/index.js';
import { DEFAULT_MASK } from '../encoder/normalize.js';
import { saveModel, type ModelDescription } from '../encoder/package.js';
import { blend } from './blend.js';
import { fitTemperatures } from './calibrate.js';
import type { Checkpoint } from './checkpoint.js';
import type { GroupSet } from './dataset/groups.js';
import { evaluate, type Evaluation } from './evaluate.js';
import { fitHead } from './fit-head.js';
import { unpackFrame } from './geometry-frame.js';
import { createLearner, toNetwork } from './learner.js';
import { embedGroups } from './validate.js';
import { statisticsOf } from './statistics.js';

/** Rigs have up to eight cameras. */
const MOST_VIEWS = 8;

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
  /** People whom no run has seen: the head is fitted to them again, see {@link fitHead}. */
  readonly unseen?: GroupSet | undefined;
  readonly onProgress?: ((doing: string) => void) | undefined;
  /** What the manifest says of the data beside the recipe: source, seeds, counts, licences. */
  readonly provenance: Readonly<Record<string, unknown>>;
  /** The command that measures the table again. */
  readonly tableCommand: string;
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
  const { checkpoint, set, unseen, directory, name } = options;
  const { recipe, labels } = checkpoint;
  const own = networkOf(checkpoint);
  const blended = options.blend ? blend(own, options.blend.other, options.blend.share) : own;
  const averaged = withGeometryShare(blended, options.geometryShare);
  const embed = (from: GroupSet, indices: readonly number[], purpose: string) => {
    options.onProgress?.(`embeds ${String(indices.length)} moments to ${purpose}`);
    return embedGroups(from, indices, Infinity, averaged);
  };
  const network = unseen ? { ...averaged, head: await fittedHead(unseen) } : averaged;
  const held = await embed(set, options.validation, 'calibrate');
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
      ...(unseen && { headFit: { groups: unseen.size, people: peopleIn(unseen).size } }),
      ...(network.geometry && { geometryShare: network.geometry.share }),
      embeddingMean: [...statistics.mean].map(rounded),
    },
    table: {},
  };
  const manifest = await saveModel(directory, description, network);
  const model: Model = createModel(manifest, network);
  const table = evaluate(model, await embed(set, options.test, 'measure'));
  await saveModel(
    directory,
    { ...description, table: { command: options.tableCommand, ...table } },
    network,
  );
  return table;

  async function fittedHead(people: GroupSet): Promise<Head> {
    const groups = await embed(people, indicesOf(people), 'fit the head');
    return fitHead(averaged.head, groups, labels, recipe);
  }
}

const indicesOf = ({ size }: GroupSet): number[] => Array.from({ length: size }, (_, i) => i);

const peopleIn = (set: GroupSet): Set<string> =>
  new Set(indicesOf(set).map((index) => set.info(index).personId));

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
