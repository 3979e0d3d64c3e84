import * as tf from '@tensorflow/tfjs-core';
import { toTensors, type ParameterSlot } from '../encoder/formats/tfjs.js';
import type { Batch, BatchTruth } from './batch.js';
import type { Learner } from './learner.js';
import { embedBatch, objective, type Terms } from './objective.js';
import type { Recipe } from './recipe.js';

export interface Differentiated {
  /** The loss and its terms by name. */
  readonly terms: Readonly<Record<string, number>>;
  readonly gradient: Float32Array;
  /** Mean and variance of this batch, in the order of the learner's statistic slots. */
  readonly statistics: Float32Array;
}

/** Loss, gradient and batch statistics of one batch, on the current backend. */
export async function differentiate(
  learner: Learner,
  recipe: Recipe,
  parameters: Float32Array,
  batch: Batch,
): Promise<Differentiated> {
  const tensors = toTensors(learner.slots, parameters);
  const observed = new Map<string, tf.Tensor>();
  const onStatistics = (name: string, value: tf.Tensor): unknown => observed.set(name, value);
  const { encoder, quantised } = learner;
  const { terms, gradients } = await gradientsOf(tensors, () =>
    objective(embedBatch(encoder.graph, tensors, batch, { onStatistics, quantised }), {
      tensors,
      batch,
      recipe,
    }),
  );
  try {
    return {
      terms,
      gradient: await flatten(learner.slots, gradients),
      statistics: await flatten(learner.encoder.statisticSlots, observed),
    };
  } finally {
    tf.dispose([...tensors.values(), ...observed.values(), ...gradients.values()]);
  }
}

export interface DifferentiatedLoss {
  readonly terms: Readonly<Record<string, number>>;
  /** As long as the pixels' embeddings. */
  readonly ofEmbeddings: Float32Array;
  /** As long as the parameters; zero for those of the encoder. */
  readonly ofHeads: Float32Array;
}

/** The part of {@link differentiate} behind the encoder. @param embeddings of the pixels, row by row. */
export async function differentiateLoss(
  learner: Learner,
  recipe: Recipe,
  parameters: Float32Array,
  embeddings: Float32Array,
  batch: BatchTruth,
): Promise<DifferentiatedLoss> {
  const heads = learner.slots.slice(learner.encoder.slots.length);
  const tensors = toTensors(heads, parameters);
  const rows = tf.tensor2d(embeddings, [batch.rows, embeddings.length / batch.rows]);
  const inputs = new Map<string, tf.Tensor>([...tensors, ['rows', rows]]);
  const { terms, gradients } = await gradientsOf(inputs, () =>
    objective(rows, { tensors, batch, recipe }),
  );
  try {
    return {
      terms,
      ofEmbeddings: await gradients.get('rows')!.data<'float32'>(),
      ofHeads: await flatten(learner.slots, gradients),
    };
  } finally {
    tf.dispose([...inputs.values(), ...gradients.values()]);
  }
}

async function gradientsOf(
  tensors: ReadonlyMap<string, tf.Tensor>,
  run: () => Terms,
): Promise<{ terms: Record<string, number>; gradients: Map<string, tf.Tensor> }> {
  const kept: Record<string, tf.Scalar> = {};
  const loss = (): tf.Scalar => {
    const terms = run();
    for (const [name, term] of Object.entries(terms)) kept[name] = tf.keep(tf.clone(term));
    return terms.loss;
  };
  // Heads that this stage does not use have no gradient; `tf.grads` would refuse them.
  const { value, grads } = tf.engine().gradients(loss, [...tensors.values()], undefined, true) as {
    value: tf.Scalar;
    grads: (tf.Tensor | undefined)[];
  };
  const terms: Record<string, number> = {};
  for (const [name, term] of Object.entries(kept)) terms[name] = (await term.data())[0]!;
  tf.dispose([value, ...Object.values(kept)]);
  const names = [...tensors.keys()];
  return {
    terms,
    gradients: new Map(names.flatMap((name, i) => (grads[i] ? [[name, grads[i]]] : []))),
  };
}

async function flatten(
  slots: readonly ParameterSlot[],
  tensors: ReadonlyMap<string, tf.Tensor>,
): Promise<Float32Array> {
  const last = slots.at(-1);
  const all = new Float32Array(last ? last.offset + last.length : 0);
  for (const { name, offset } of slots) {
    const tensor = tensors.get(name);
    if (tensor) all.set(await tensor.data<'float32'>(), offset);
  }
  return all;
}
