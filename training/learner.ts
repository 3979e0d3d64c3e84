import {
  SlotList,
  trainable,
  type ParameterSlot,
  type Trainable,
} from '../encoder/formats/tfjs.js';
import { VIEW_FEATURES, type Head } from '../encoder/fusion.js';
import type { Graph } from '../encoder/graph.js';
import { buildNetwork, drawn, NETWORKS, zeros } from '../encoder/network.js';
import { views } from '../encoder/formats/tfjs.js';
import { Random } from '../encoder/random.js';
import type { Recipe } from './recipe.js';

const PROJECTION_HIDDEN = 128;
const PROJECTION = 64;

/** What is learned: the encoder and the heads behind it, in one flat array. */
export interface Learner {
  readonly encoder: Trainable;
  readonly slots: readonly ParameterSlot[];
  readonly initial: Float32Array;
  readonly embedding: number;
  /** Names and sizes; two learners with the same one can share numbers. */
  readonly architecture: string;
}

/** A fresh learner; everything random comes from the recipe's seed. */
export function createLearner(recipe: Recipe, labels: readonly string[], shapes: number): Learner {
  const { embedding } = NETWORKS[recipe.network];
  const encoder = trainable(buildNetwork(NETWORKS[recipe.network], recipe.seed), {
    batchNorm: true,
  });
  const random = new Random(recipe.seed + 1);
  const list = new SlotList();
  for (const [name, weights] of views(encoder.slots, encoder.initial)) {
    list.add(name, weights, encoder.slots.find((slot) => slot.name === name)!.decays);
  }
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
  if (shapes > 0) {
    list.add('shapes.kernel', drawn(random, [embedding, shapes], 0.1), true);
    list.add('shapes.bias', zeros([shapes]), false);
  }
  return {
    encoder,
    slots: list.slots,
    initial: list.toArray(),
    embedding,
    architecture: list.slots.map(({ name, shape }) => `${name}:${shape.join('x')}`).join(' '),
  }; // prettier-ignore
}

/** The learner's numbers as what a model package holds. */
export function toNetwork(
  learner: Learner,
  recipe: Recipe,
  parameters: Float32Array,
  statistics: Float32Array,
): { graph: Graph; head: Head } {
  const values = views(learner.slots, parameters);
  const copy = (name: string) => {
    const { shape, data } = values.get(name)!;
    return { shape, data: data.slice() };
  };
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
  };
}

function unitInPlace(rows: Float32Array, width: number): void {
  for (let at = 0; at < rows.length; at += width) {
    const row = rows.subarray(at, at + width);
    const length = Math.hypot(...row) || 1;
    row.forEach((value, i) => (row[i] = value / length));
  }
}
