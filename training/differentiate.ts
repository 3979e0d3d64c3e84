import * as tf from '@tensorflow/tfjs-core';
import { toTensors, type ParameterSlot } from '../encoder/formats/tfjs.js';
import type { Batch } from './batch.js';
import type { Learner } from './learner.js';
import { objective } from './objective.js';
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
  const names = [...tensors.keys()];
  const observed = new Map<string, tf.Tensor>();
  const terms: Record<string, tf.Scalar> = {};
  const run = (): tf.Scalar => {
    const found = objective({
      graph: learner.encoder.graph,
      tensors,
      batch,
      recipe,
      onStatistics: (name, statistic) => observed.set(name, statistic),
    });
    for (const [name, term] of Object.entries(found)) terms[name] = tf.keep(tf.clone(term));
    return found.loss;
  };
  // Heads that this stage does not use have no gradient; `tf.grads` would refuse them.
  const { value, grads } = tf.engine().gradients(run, [...tensors.values()], undefined, true) as {
    value: tf.Scalar;
    grads: (tf.Tensor | undefined)[];
  };
  const gradients = new Map(names.flatMap((name, i) => (grads[i] ? [[name, grads[i]]] : [])));
  try {
    return {
      terms: Object.fromEntries(
        await Promise.all(
          Object.entries(terms).map(
            async ([name, term]) => [name, (await term.data())[0]!] as const,
          ),
        ),
      ),
      gradient: await flatten(learner.slots, gradients),
      statistics: await flatten(learner.encoder.statisticSlots, observed),
    };
  } finally {
    tf.dispose([
      value,
      ...grads,
      ...tensors.values(),
      ...observed.values(),
      ...Object.values(terms),
    ]);
  }
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
