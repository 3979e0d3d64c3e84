import {
  SlotList,
  trainable,
  type ParameterSlot,
  type Trainable,
} from '../encoder/formats/tfjs.js';
import { VIEW_FEATURES } from '../encoder/fusion.js';
import { GEOMETRY_FEATURES, type Geometry } from '../encoder/geometry.js';
import type { Network } from '../encoder/index.js';
import type { GeometryFrame } from './geometry-frame.js';
import { buildNetwork, drawn, NETWORKS, zeros } from '../encoder/network.js';
import { views } from '../encoder/formats/tfjs.js';
import { Random } from '../encoder/random.js';
import type { Recipe } from './recipe.js';

const PROJECTION_HIDDEN = 128;
const PROJECTION = 64;
const GEOMETRY_HIDDEN = 64;
const GEOMETRY_EMBEDDING = 64;

/** How many numbers a learner predicts beside labels; 0 for none. */
export interface Predicted {
  /** Of the expression shapes that a rendered face was given, from the embedding. */
  readonly shapes: number;
  /** Of what a blendshape model reads from the landmarks, from their part of the embedding. */
  readonly blendshapes: number;
  /** Of what it reads in the moment's most frontal view, from the embedding of any. */
  readonly frontal: number;
}

/** What is learned: the encoder and the heads behind it, in one flat array. */
export interface Learner {
  readonly encoder: Trainable;
  readonly slots: readonly ParameterSlot[];
  readonly initial: Float32Array;
  readonly embedding: number;
  /** The encoder learns as int8 will compute. */
  readonly quantised: boolean;
  /** Names and sizes; two learners with the same one can share numbers. */
  readonly architecture: string;
}

/** A fresh learner; everything random comes from the recipe's seed. */
export function createLearner(
  recipe: Recipe,
  labels: readonly string[],
  predicted: Predicted,
): Learner {
  const pixels = NETWORKS[recipe.network].embedding;
  const embedding = pixels + (recipe.geometry ? GEOMETRY_EMBEDDING : 0);
  const encoder = trainable(buildNetwork(NETWORKS[recipe.network], recipe.seed), {
    batchNorm: true,
  });
  const random = new Random(recipe.seed + 1);
  const list = new SlotList();
  for (const [name, weights] of views(encoder.slots, encoder.initial)) {
    list.add(name, weights, encoder.slots.find((slot) => slot.name === name)!.decays);
  }
  if (recipe.geometry) addGeometry(list, random);
  const rows = labels.length * recipe.head.prototypesPerLabel;
  list.add('projection.a', drawn(random, [embedding, PROJECTION_HIDDEN], Math.sqrt(2)), true);
  list.add('projection.a_bias', zeros([PROJECTION_HIDDEN]), false);
  list.add(
    'projection.b',
    drawn(random, [PROJECTION_HIDDEN, PROJECTION], Math.sqrt(2 / PROJECTION_HIDDEN)),
    true,
  );
  list.add('head.prototypes', drawn(random, [rows, embedding], 1 / Math.sqrt(embedding)), false);
  list.add('head.query', zeros([embedding]), false);
  list.add('head.viewBias', zeros([VIEW_FEATURES]), false);
  const readOut = (name: string, from: number, to: number): void => {
    if (to === 0) return;
    list.add(`${name}.kernel`, drawn(random, [from, to], 0.1), true);
    list.add(`${name}.bias`, zeros([to]), false);
  };
  readOut('shapes', embedding, predicted.shapes);
  readOut('blendshapes', GEOMETRY_EMBEDDING, recipe.geometry ? predicted.blendshapes : 0);
  readOut('frontal', embedding, predicted.frontal);
  return {
    encoder,
    slots: list.slots,
    initial: list.toArray(),
    embedding,
    quantised: recipe.quantiseAware,
    architecture: architectureOf(list.slots),
  };
}

function addGeometry(list: SlotList, random: Random): void {
  const layer = (name: string, from: number, to: number, gain: number): void => {
    list.add(`geometry.${name}.kernel`, drawn(random, [from, to], Math.sqrt(gain / from)), true);
    list.add(`geometry.${name}.bias`, zeros([to]), false);
  };
  layer('hidden', GEOMETRY_FEATURES, GEOMETRY_HIDDEN, 2);
  layer('project', GEOMETRY_HIDDEN, GEOMETRY_EMBEDDING, 1);
}

export function predictedBy({ slots }: Pick<Learner, 'slots'>): Predicted {
  const width = (name: string): number =>
    slots.find((slot) => slot.name === `${name}.bias`)?.length ?? 0;
  return {
    shapes: width('shapes'),
    blendshapes: width('blendshapes'),
    frontal: width('frontal'),
  };
}

const architectureOf = (slots: readonly ParameterSlot[]): string =>
  slots.map(({ name, shape }) => `${name}:${shape.join('x')}`).join(' ');

const isReadOut = ({ name }: ParameterSlot): boolean =>
  /^(shapes|blendshapes|frontal)\./.test(name);

/**
 * Another run's parameters as this learner holds them. What the two predict beside labels may differ: it
 * is carried over where both do and fresh where only this one does.
 * @returns undefined where the rest of the two differs.
 */
export function carriedOver(
  before: Learner,
  parameters: Float32Array,
  learner: Learner,
): Float32Array | undefined {
  const core = ({ slots }: Learner): string =>
    architectureOf(slots.filter((slot) => !isReadOut(slot)));
  if (core(before) !== core(learner)) return undefined;
  const carried = learner.initial.slice();
  const known = views(before.slots, parameters);
  for (const [name, { shape, data }] of views(learner.slots, carried)) {
    const old = known.get(name);
    if (old?.shape.join() === shape.join()) data.set(old.data);
  }
  return carried;
}

/** The learner's numbers as what a model package holds. */
export function toNetwork(
  learner: Learner,
  recipe: Recipe,
  parameters: Float32Array,
  statistics: Float32Array,
  frame: GeometryFrame | undefined,
): Network {
  const values = views(learner.slots, parameters);
  const copy = (name: string) => {
    const { shape, data } = values.get(name)!;
    return { shape, data: data.slice() };
  };
  const layer = (name: string): Geometry['hidden'] => ({
    kernel: copy(`geometry.${name}.kernel`),
    bias: copy(`geometry.${name}.bias`),
  });
  const prototypes = copy('head.prototypes');
  unitInPlace(prototypes.data, learner.embedding);
  return {
    graph: learner.encoder.toGraph(
      parameters.subarray(0, learner.encoder.initial.length),
      statistics,
    ),
    head: {
      prototypes,
      prototypesPerLabel: recipe.head.prototypesPerLabel,
      scale: recipe.head.scale,
      query: copy('head.query'),
      viewBias: copy('head.viewBias'),
    },
    geometry: frame && {
      ...frame,
      share: recipe.geometryShare,
      hidden: layer('hidden'),
      project: layer('project'),
    },
  };
}

/** Rows of this width to length 1. */
export function unitInPlace(rows: Float32Array, width: number): void {
  for (let at = 0; at < rows.length; at += width) {
    const row = rows.subarray(at, at + width);
    const length = Math.hypot(...row) || 1;
    row.forEach((value, i) => (row[i] = value / length));
  }
}
