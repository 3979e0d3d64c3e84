import * as tf from '@tensorflow/tfjs-core';
import { ClmexError } from '../core/errors.js';
import { DEFAULT_CROP } from '../encoder/crop.js';
import { BATCH_NORM_EPSILON } from '../encoder/formats/batch-norm.js';
import { toTensors, views } from '../encoder/formats/tfjs.js';
import type { Conv2d } from '../encoder/graph.js';
import type { Model } from '../encoder/model.js';
import { Random } from '../encoder/random.js';
import { prepareBatch } from './batch.js';
import type { Checkpoint } from './checkpoint.js';
import type { GroupSet } from './dataset/groups.js';
import { packFrame } from './geometry-frame.js';
import type { Learner } from './learner.js';
import { embedBatch } from './objective.js';
import { preparationOf } from './preparation.js';
import type { Recipe } from './recipe.js';

/** Views whose statistics batch normalisation starts with. */
const STATISTICS_VIEWS = 256;

export interface StartingPointOptions {
  readonly model: Model;
  readonly learner: Learner;
  readonly recipe: Recipe;
  readonly set: GroupSet;
  readonly train: readonly number[];
}

/**
 * A model package as a starting point: its encoder, geometry stream and, for labels of the same names,
 * its head; heads that only training has are drawn anew. A package has batch normalisation folded into
 * its kernels. It is put back with the statistics of the run's own views, γ = √(variance + ε) and
 * β = mean + bias, so that the first forward pass over them embeds pixels as the package does.
 * @throws ClmexError `invalid-config` where the recipe asks for another network or crop.
 */
export async function startingPoint(
  options: StartingPointOptions,
): Promise<Pick<Checkpoint, 'arrays'>> {
  const { model, learner } = options;
  requireSameNetwork(options);
  const meanParameters = learner.initial.slice();
  const numbers = views(learner.slots, meanParameters);
  const put = (name: string, values: Float32Array): void => numbers.get(name)!.data.set(values);
  for (const layer of model.graph.layers) {
    if (!('kernel' in layer)) continue;
    put(`${layer.name}.kernel`, layer.kernel.data);
    if (layer.kind !== 'conv2d' && layer.bias) put(`${layer.name}.bias`, layer.bias.data);
  }
  for (const name of ['hidden', 'project'] as const) {
    const layer = model.geometry?.[name];
    if (layer === undefined) continue;
    put(`geometry.${name}.kernel`, layer.kernel.data);
    put(`geometry.${name}.bias`, layer.bias.data);
  }
  put('head.query', model.head.query.data);
  put('head.viewBias', model.head.viewBias.data);
  putPrototypes(options, numbers.get('head.prototypes')!.data);
  const meanStatistics = await normalise(options, meanParameters);
  const frame = model.geometry && { frame: packFrame(model.geometry) };
  return { arrays: { meanParameters, meanStatistics, ...frame } };
}

function requireSameNetwork({ model, learner, recipe }: StartingPointOptions): void {
  const has = { geometry: model.geometry !== undefined, crop: model.manifest.crop.size };
  if (has.geometry !== recipe.geometry)
    throw differs('geometry', recipe.geometry, `${has.geometry}, as the model package`);
  if (has.crop !== DEFAULT_CROP.size)
    throw differs('crop.size', DEFAULT_CROP.size, `${has.crop}, as the model package`);
  const shapesOf = (graph: Model['graph']): string =>
    graph.layers.map((layer) => ('kernel' in layer ? layer.kernel.shape.join('x') : '')).join(' ');
  if (shapesOf(model.graph) !== shapesOf(learner.encoder.graph))
    throw differs('network', recipe.network, `the one of the model package, ${model.graph.name}`);
}

const differs = (field: string, value: unknown, allowed: string): ClmexError =>
  new ClmexError('invalid-config', 'differs from the model package that the run starts from', {
    field,
    value,
    allowed,
  });

/** Those of labels that the package knows by name; the others stay as they were drawn. */
function putPrototypes({ model, recipe, set }: StartingPointOptions, rows: Float32Array): void {
  const { prototypes, prototypesPerLabel } = model.head;
  const width = prototypes.shape[1]!;
  const each = recipe.head.prototypesPerLabel;
  for (const [label, name] of set.labels.entries()) {
    const known = model.manifest.labels.indexOf(name);
    if (known === -1) continue;
    const from = known * prototypesPerLabel;
    const taken = prototypes.data.subarray(
      from * width,
      (from + Math.min(each, prototypesPerLabel)) * width,
    );
    rows.set(taken, label * each * width);
  }
}

/** Sets scale and shift of every normalised convolution, from input to output; returns the statistics. */
async function normalise(
  { model, learner, recipe, set, train }: StartingPointOptions,
  parameters: Float32Array,
): Promise<Float32Array> {
  const { encoder } = learner;
  const numbers = views(encoder.slots, parameters);
  const all = encoder.initialStatistics.slice();
  const statistics = views(encoder.statisticSlots, all);
  const batch = prepareBatch(sample(set, train), preparationOf(recipe, undefined));
  const convolutions = model.graph.layers.filter((layer) => layer.kind === 'conv2d');
  for (const layer of convolutions) {
    const measured = await statisticsOf(layer);
    for (const part of ['mean', 'variance'] as const)
      statistics.get(`${layer.name}.${part}`)!.data.set(measured[part]);
    const { mean, variance } = measured;
    const [gamma, beta] = ['gamma', 'beta'].map((part) => numbers.get(`${layer.name}.${part}`)!.data); // prettier-ignore
    gamma!.set(variance.map((value) => Math.sqrt(value + BATCH_NORM_EPSILON)));
    beta!.set(mean.map((value, i) => value + (layer.bias?.data[i] ?? 0)));
  }
  return all;

  /** Right where all layers in front of it are set. */
  async function statisticsOf({ name }: Conv2d): Promise<{ mean: Float32Array; variance: Float32Array }> {
    const tensors = toTensors(encoder.slots, parameters);
    const observed = new Map<string, tf.Tensor>();
    const onStatistics = (key: string, value: tf.Tensor): unknown => observed.set(key, value);
    tf.tidy(() => void embedBatch(encoder.graph, tensors, batch, { onStatistics }));
    try {
      const read = (part: string) => observed.get(`${name}.${part}`)!.data<'float32'>();
      return { mean: await read('mean'), variance: await read('variance') };
    } finally {
      tf.dispose([...tensors.values(), ...observed.values()]);
    }
  } // prettier-ignore
}

function sample(set: GroupSet, train: readonly number[]) {
  const groups = [];
  let rows = 0;
  // Groups of one person lie together.
  for (const index of new Random(1).shuffle([...train])) {
    if (rows >= STATISTICS_VIEWS) break;
    const group = { ...set.read(index), seed: index };
    groups.push(group);
    rows += group.views.length;
  }
  return groups;
}
