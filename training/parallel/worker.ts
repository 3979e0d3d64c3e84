import * as tf from '@tensorflow/tfjs-core';
import { selectBackend } from '../../encoder/backend/backend.js';
import { toTensors, type ParameterSlot } from '../../encoder/formats/tfjs.js';
import { prepareBatch, type Preparation, type SeededGroup } from '../batch.js';
import { createLearner, type Learner } from '../learner.js';
import { embedBatch } from '../objective.js';
import { preparationOf } from '../preparation.js';
import { receive, send } from './frames.js';
import type { FromWorker, ToWorker } from './messages.js';

/**
 * One of several processes that share each batch of a training, or augment it. It speaks with its owner over
 * standard input and output and blocks while it waits, so that a question can be asked in the middle
 * of a forward or backward pass; when the pipe closes it ends.
 */
async function main(): Promise<void> {
  // The owner decides when to stop: a terminal's Ctrl-C reaches every process of the group.
  process.on('SIGINT', () => undefined).on('SIGTERM', () => undefined);
  const start = receive() as ToWorker | undefined;
  if (start?.kind !== 'start') return;
  const { recipe, frame, labels, predicted } = start;
  await selectBackend(recipe.backend);
  const learner = createLearner(recipe, labels, predicted);
  const preparation = preparationOf(recipe, frame);
  answer({ kind: 'ready' });
  for (;;) {
    const message = receive() as ToWorker | undefined;
    if (message?.kind === 'step') answer(step(learner, preparation, message));
    else if (message?.kind === 'prepare') answer(prepared(message.groups, preparation));
    else return;
  }
}

function prepared(groups: readonly SeededGroup[], preparation: Preparation): FromWorker {
  const { images, geometry } = prepareBatch(groups, preparation);
  return { kind: 'prepared', images, geometry };
}

function step(
  { encoder, quantised }: Learner,
  preparation: Preparation,
  { parameters, groups, share }: Extract<ToWorker, { kind: 'step' }>,
): FromWorker {
  const batch = prepareBatch(groups, preparation);
  const tensors = toTensors(encoder.slots, parameters);
  const observed = new Map<string, tf.Tensor>();
  const { value, grads } = tf.engine().gradients(() => {
    const embeddings = embedBatch(encoder.graph, tensors, batch, {
      onStatistics: (name, statistic) => observed.set(name, statistic),
      wholeOf: (means) => meansOfWhole(means, share),
      quantised,
    });
    const values = embeddings.dataSync<'float32'>();
    const gradient = ask({ kind: 'embeddings', values, geometry: batch.geometry }, 'gradient');
    // Its gradient is that of the loss, of which only the owner knows all rows.
    return tf.sum<tf.Scalar>(tf.mul(embeddings, tf.tensor2d(gradient, embeddings.shape)));
  }, [...tensors.values()]);
  const gradients = new Map([...tensors.keys()].map((name, i) => [name, grads[i]!]));
  const done: FromWorker = {
    kind: 'done',
    gradient: flatten(encoder.slots, gradients),
    statistics: flatten(encoder.statisticSlots, observed),
  };
  tf.dispose([value, ...grads, ...tensors.values(), ...observed.values()]);
  return done;
}

function meansOfWhole(means: readonly tf.Tensor1D[], share: number): tf.Tensor1D[] {
  const own = means.map((mean) => mean.dataSync<'float32'>());
  const values = Float32Array.from(own.flatMap((mean) => [...mean]), (value) => share * value); // prettier-ignore
  const whole = ask({ kind: 'means', values }, 'means');
  let at = 0;
  return own.map(({ length }) => tf.tensor1d(whole.slice(at, (at += length))));
}

function ask(question: FromWorker, kind: 'means' | 'gradient'): Float32Array {
  answer(question);
  const reply = receive() as ToWorker | undefined;
  // Between question and reply nothing else comes: the owner is gone.
  if (reply?.kind !== kind) process.exit(0);
  return reply.values;
}

const answer = (message: FromWorker): void => send(message);

function flatten(
  slots: readonly ParameterSlot[],
  tensors: ReadonlyMap<string, tf.Tensor>,
): Float32Array {
  const last = slots.at(-1)!;
  const all = new Float32Array(last.offset + last.length);
  for (const { name, offset } of slots) all.set(tensors.get(name)!.dataSync<'float32'>(), offset);
  return all;
}

try {
  await main();
} catch (error) {
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0);
  answer({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
}
