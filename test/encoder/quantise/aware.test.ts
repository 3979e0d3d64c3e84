import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { selectBackend } from '../../../encoder/backend/backend.js';
import { asBytes, asWeights } from '../../../encoder/formats/fake-quantise.js';
import { forward, toTensors, trainable } from '../../../encoder/formats/tfjs.js';
import type { Graph } from '../../../encoder/graph.js';
import { buildNetwork } from '../../../encoder/network.js';
import { cosine } from '../../../encoder/quantise/choose.js';
import { runInteger } from '../../../encoder/quantise/integer.js';
import { quantizeGraph } from '../../../encoder/quantise/quantise.js';
import {
  dequantize,
  LARGEST_WEIGHT,
  paramsOf,
  quantize,
} from '../../../encoder/quantise/scheme.js';
import { createOnnxRuntime } from '../../../runtime/engine/onnxruntime.js';
import { adamW } from '../../../training/optimise/optimiser.js';
import { TINY_NETWORK } from '../../support/random-model.js';
import { faceLikeCrops, inputsOf, runOn } from './calibration.js';

const AREA = 64 * 64;
const ROWS = 32;

describe('learning with rounded numbers', () => {
  beforeAll(() => selectBackend('wasm'));

  it('rounds activations to the very numbers their bytes stand for', async () => {
    const values = Float32Array.from({ length: 200 }, (_, i) => Math.sin(i) * 3 + 0.7);
    const params = paramsOf(Math.min(...values), Math.max(...values));
    const rounded = await asBytes(tf.tensor1d(values)).data();
    rounded.forEach((value, i) => {
      expect(value).toBeCloseTo(dequantize(quantize(values[i]!, params), params), 4);
    });
  });

  it('gives each output channel of a kernel a scale of its own', async () => {
    const kernel = tf.randomNormal<tf.Rank.R4>([3, 3, 4, 5], 0, 1, 'float32', 3);
    const [before, after] = [await kernel.data(), await asWeights(kernel, [0, 1, 2]).data()];
    for (let channel = 0; channel < 5; channel++) {
      const own = [...before.keys()].filter((i) => i % 5 === channel);
      const scale = Math.max(...own.map((i) => Math.abs(before[i]!))) / LARGEST_WEIGHT;
      for (const i of own) expect(after[i]).toBeCloseTo(Math.round(before[i]! / scale) * scale, 5);
    }
  });

  it('passes gradients straight through, as if nothing had been rounded', async () => {
    const slope = tf.grad((x: tf.Tensor) => tf.sum(tf.square(asBytes(x))));
    const x = tf.tensor1d([-1, 0.2, 0.5, 2]);
    const [gradient, rounded] = [await slope(x).data(), await asBytes(x).data()];
    gradient.forEach((value, i) => expect(value).toBeCloseTo(2 * rounded[i]!, 5));
  });

  it('leaves the int8 network nearer to its float teacher than quantising alone does', async () => {
    // One loud channel makes the steps of all others coarse: what quantising alone handles worst.
    const teacher = uneven(buildNetwork(TINY_NETWORK, 4));
    const engine = createOnnxRuntime(1);
    const crops = inputsOf(faceLikeCrops(ROWS, 1));
    const unseen = inputsOf(faceLikeCrops(12, 2));
    const answers = (await runOn(engine)(teacher, crops, ROWS)).get('embedding')!;
    const expected = (await runOn(engine)(teacher, unseen, 12)).get('embedding')!;
    const nearness = async (graph: Graph): Promise<number> => {
      const options = { ranges: 'minmax', equalise: false, correctBiases: false } as const;
      const int8 = await quantizeGraph(graph, [crops], runOn(engine), options);
      const cosines = Array.from({ length: 12 }, (_, i) => {
        const { floats } = runInteger(int8, unseen.subarray(i * AREA, (i + 1) * AREA));
        const width = expected.length / 12;
        return cosine(floats.get('embedding')!, expected.subarray(i * width, (i + 1) * width));
      });
      return cosines.reduce((sum, value) => sum + value, 0) / 12;
    };
    const before = await nearness(teacher);
    const after = await nearness(await taught(teacher, crops, answers));
    expect(after).toBeGreaterThan(before);
  });
});

const LOUD = 100;

/** The same function, but the first layer's first channel is loud and its readers weigh it less. */
function uneven(graph: Graph): Graph {
  const loud = graph.layers[0]!.name;
  const layers = graph.layers.map((layer, at) => {
    if (layer.kind !== 'conv2d') return layer;
    const [inputs, outputs] = [layer.kernel.shape[2]!, layer.kernel.shape[3]!];
    const scaled = layer.kernel.data.map((value, i) => {
      if (at === 0) return i % outputs === 0 ? value * LOUD : value;
      const first = Math.floor(i / outputs) % inputs === 0;
      return layer.inputs[0] === loud && first ? value / LOUD : value;
    });
    const bias = layer.bias?.data.map((value, i) => (at === 0 && i === 0 ? value * LOUD : value));
    return {
      ...layer,
      kernel: { ...layer.kernel, data: scaled },
      bias: layer.bias && { ...layer.bias, data: bias! },
    };
  });
  return { ...graph, layers };
}

/** A few steps of the rounded network towards the teacher's answers. */
async function taught(teacher: Graph, crops: Float32Array, answers: Float32Array): Promise<Graph> {
  const learner = trainable(teacher, { batchNorm: false });
  const parameters = learner.initial.slice();
  const optimiser = adamW({ beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 });
  const memory = optimiser.init(parameters.length);
  for (let step = 0; step < 50; step++) {
    const tensors = toTensors(learner.slots, parameters);
    const { value, grads } = tf.engine().gradients(() => {
      const input = tf.tensor4d(crops, [ROWS, 64, 64, 1]);
      const output = forward(teacher, tensors, input, { quantised: true });
      return tf.sum<tf.Scalar>(tf.square(tf.sub(output, tf.tensor2d(answers, [ROWS, answers.length / ROWS])))); // prettier-ignore
    }, [...tensors.values()]);
    const gradient = new Float32Array(parameters.length);
    for (const [i, { offset }] of learner.slots.entries())
      gradient.set(await grads[i]!.data<'float32'>(), offset);
    optimiser.update(parameters, gradient, memory, { step, learningRate: 5e-4, slots: learner.slots }); // prettier-ignore
    tf.dispose([value, ...grads, ...tensors.values()]);
  }
  return learner.toGraph(parameters, learner.initialStatistics);
}
