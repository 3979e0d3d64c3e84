import * as tf from '@tensorflow/tfjs-core';
import { ClmexError } from '../core/errors.js';
import { DEFAULT_CROP } from '../encoder/crop.js';
import { BATCH_NORM_EPSILON } from '../encoder/formats/batch-norm.js';
import { toTensors, views } from '../encoder/formats/tfjs.js';
import type { Graph, Weights } from '../encoder/graph.js';
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
 *
 * A network that is wider or deeper grows out of the package's and starts as its equal (Chen et al. 2016,
 * Net2Net, arXiv 1511.05641): what the package has reads nothing of the channels that are new, and new
 * blocks add nothing at first. New channels are drawn, where Net2Net has copies of old ones, which would
 * need noise to part.
 * @throws ClmexError `invalid-config` where the recipe asks for a network that the package's does not
 * fit into, or for another crop.
 */
export async function startingPoint(
  options: StartingPointOptions,
): Promise<Pick<Checkpoint, 'arrays'>> {
  const { model, learner } = options;
  requireRoom(options);
  const meanParameters = learner.initial.slice();
  const numbers = views(learner.slots, meanParameters);
  const put = (name: string, values: Float32Array): void => numbers.get(name)!.data.set(values);
  const room = kernelsOf(learner.encoder.graph);
  for (const [name, kernel] of kernelsOf(model.graph)) {
    const { shape } = room.get(name)!;
    layInto({ shape, data: numbers.get(`${name}.kernel`)!.data }, kernel);
  }
  for (const layer of model.graph.layers)
    if (layer.kind === 'dense' && layer.bias) put(`${layer.name}.bias`, layer.bias.data);
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

/**
 * Kernels by layer, [...places, in, out]. The dense layer reads the places of the last convolution one
 * after the other, so that its kernel is one of as many places.
 */
function kernelsOf({ layers }: Graph): Map<string, Weights> {
  const kernels = new Map<string, Weights>();
  let channels = 1;
  for (const layer of layers) {
    if (layer.kind === 'conv2d') {
      kernels.set(layer.name, layer.kernel);
      channels = layer.kernel.shape[3]!;
    } else if (layer.kind === 'dense') {
      const [flat, out] = layer.kernel.shape as [number, number];
      const shape = [flat / channels, channels, out];
      kernels.set(layer.name, { shape, data: layer.kernel.data });
    }
  }
  return kernels;
}

/** A kernel in the first channels of one that may have more; its outputs read none of the others. */
function layInto(wide: Weights, narrow: Weights): void {
  const [ins, outs] = narrow.shape.slice(-2) as [number, number];
  const [wideIns, wideOuts] = wide.shape.slice(-2) as [number, number];
  const places = narrow.data.length / (ins * outs);
  for (let row = 0; row < places * wideIns; row++) {
    const [place, i] = [Math.floor(row / wideIns), row % wideIns];
    const from = (place * ins + i) * outs;
    const known = wide.data.subarray(row * wideOuts, row * wideOuts + outs);
    if (i < ins) known.set(narrow.data.subarray(from, from + outs));
    else known.fill(0);
  }
}

function requireRoom({ model, learner, recipe }: StartingPointOptions): void {
  const has = { geometry: model.geometry !== undefined, crop: model.manifest.crop.size };
  if (has.geometry !== recipe.geometry)
    throw differs('geometry', recipe.geometry, `${has.geometry}, as the model package`);
  if (has.crop !== DEFAULT_CROP.size)
    throw differs('crop.size', DEFAULT_CROP.size, `${has.crop}, as the model package`);
  const room = kernelsOf(learner.encoder.graph);
  const fits = [...kernelsOf(model.graph)].every(([name, { shape }]) => {
    const wide = room.get(name)?.shape;
    const places = shape.length - 2;
    return (
      wide?.length === shape.length &&
      shape.every((size, i) => (i < places ? size === wide[i] : size <= wide[i]!))
    );
  });
  if (!fits || model.head.query.data.length !== learner.embedding)
    throw differs('network', recipe.network, `one that has room for the package’s, ${model.graph.name}`); // prettier-ignore
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
  const known = new Map(model.graph.layers.map((layer) => [layer.name, layer]));
  const { layers } = encoder.graph;
  for (const layer of layers) {
    if (layer.kind === 'add' && !known.has(layer.name))
      numbers.get(`${layer.inputs[0]!}.gamma`)!.data.fill(0);
  }
  for (const [i, layer] of layers.entries()) {
    if (layer.kind !== 'conv2d') continue;
    const upTo = { ...encoder.graph, layers: layers.slice(0, i + 1), outputs: [{ name: layer.name, shape: [] }] }; // prettier-ignore
    const measured = await statisticsOf(upTo);
    for (const part of ['mean', 'variance'] as const)
      statistics.get(`${layer.name}.${part}`)!.data.set(measured[part]);
    const before = known.get(layer.name);
    if (before?.kind !== 'conv2d') continue;
    const channels = before.kernel.shape[3]!;
    const [gamma, beta] = ['gamma', 'beta'].map((part) => numbers.get(`${layer.name}.${part}`)!.data); // prettier-ignore
    for (let i = 0; i < channels; i++) {
      gamma![i] = Math.sqrt(measured.variance[i]! + BATCH_NORM_EPSILON);
      beta![i] = measured.mean[i]! + (before.bias?.data[i] ?? 0);
    }
  }
  return all;

  /** Right where all layers in front of it are set. */
  async function statisticsOf(upTo: Graph): Promise<{ mean: Float32Array; variance: Float32Array }> {
    const { name } = upTo.outputs[0]!;
    const tensors = toTensors(encoder.slots, parameters);
    const observed = new Map<string, tf.Tensor>();
    const onStatistics = (key: string, value: tf.Tensor): unknown => observed.set(key, value);
    tf.tidy(() => void embedBatch(upTo, tensors, batch, { onStatistics }));
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
