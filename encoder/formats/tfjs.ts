import * as tf from '@tensorflow/tfjs-core';
import { ClmexError } from '../../core/errors.js';
import { unitRows } from '../contrastive/index.js';
import type { Activation, Conv2d, Graph, Layer, Weights } from '../graph.js';
import {
  applyStatistics,
  BATCH_NORM_EPSILON,
  batchNormalize,
  type MeansOfWhole,
} from './batch-norm.js';
import { asBytes, asWeights } from './fake-quantise.js';

/** One tensor inside a flat array of numbers. */
export interface ParameterSlot {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
  /** Weight decay applies to kernels, not to biases and scales. */
  readonly decays: boolean;
}

/**
 * A graph ready to train: its numbers in one flat array, in the order of `slots`. With batch
 * normalisation every convolution gets one behind it, which {@link Trainable.toGraph} folds away.
 */
export interface Trainable {
  readonly graph: Graph;
  readonly slots: readonly ParameterSlot[];
  readonly initial: Float32Array;
  /** Running mean and variance a normalised convolution, in this order. */
  readonly statisticSlots: readonly ParameterSlot[];
  readonly initialStatistics: Float32Array;
  /** The graph with these numbers; batch normalisation folded into kernels and biases. */
  readonly toGraph: (parameters: Float32Array, statistics: Float32Array) => Graph;
}

export type Tensors = ReadonlyMap<string, tf.Tensor>;

export interface TrainableOptions {
  readonly batchNorm: boolean;
}

export function trainable(graph: Graph, { batchNorm }: TrainableOptions): Trainable {
  const numbers = new SlotList();
  const running = new SlotList();
  for (const layer of graph.layers) {
    if (layer.kind === 'conv2d' && batchNorm) {
      const channels = [layer.kernel.shape[3]!];
      numbers.add(`${layer.name}.kernel`, layer.kernel, true);
      numbers.add(`${layer.name}.gamma`, filled(channels, 1), false);
      numbers.add(`${layer.name}.beta`, layer.bias ?? filled(channels, 0), false);
      running.add(`${layer.name}.mean`, filled(channels, 0), false);
      running.add(`${layer.name}.variance`, filled(channels, 1), false);
      continue;
    }
    if ('kernel' in layer) numbers.add(`${layer.name}.kernel`, layer.kernel, true);
    if ('bias' in layer && layer.bias) numbers.add(`${layer.name}.bias`, layer.bias, false);
    if ('alpha' in layer) numbers.add(`${layer.name}.alpha`, layer.alpha, false);
  }
  return {
    graph,
    slots: numbers.slots,
    initial: numbers.toArray(),
    statisticSlots: running.slots,
    initialStatistics: running.toArray(),
    toGraph: (parameters, statistics) => {
      const values = new Map([
        ...views(numbers.slots, parameters),
        ...views(running.slots, statistics),
      ]);
      return { ...graph, layers: graph.layers.map((layer) => withValues(layer, values)) };
    },
  };
}

/** Tensors of a flat array, by name; the caller disposes them. */
export function toTensors(
  slots: readonly ParameterSlot[],
  values: Float32Array,
): Map<string, tf.Tensor> {
  return new Map(
    [...views(slots, values)].map(([name, { shape, data }]) => [
      name,
      tf.tensor(data.slice(), [...shape]),
    ]),
  );
}

export interface ForwardOptions {
  /**
   * `batch` normalises by the batch itself and reports mean and variance here, a tensor a statistic
   * slot, which the receiver disposes; without it the given running statistics hold.
   */
  readonly onStatistics?: ((name: string, value: tf.Tensor1D) => void) | undefined;
  /** Where the input is one part of a batch; see {@link MeansOfWhole}. */
  readonly wholeOf?: MeansOfWhole | undefined;
  /** Weights and activations rounded as int8 will hold them; gradients pass straight through. */
  readonly quantised?: boolean | undefined;
}

/** They only move or pick numbers that are bytes already, or compute in float behind them. */
const NOT_ROUNDED = new Set<Layer['kind']>(['reshape', 'maxPool', 'l2Normalize']);

/** Runs the graph on named parameter tensors; everything is differentiable. One input, one output. */
export function forward(
  graph: Graph,
  tensors: Tensors,
  input: tf.Tensor4D,
  options: ForwardOptions = {},
): tf.Tensor2D {
  const { quantised = false } = options;
  const first = quantised ? asBytes(input) : input;
  const values = new Map<string, tf.Tensor>([[graph.inputs[0]!.name, first]]);
  for (const layer of graph.layers) {
    const inputs = layer.inputs.map((name) => values.get(name)!);
    const output = runLayer(layer, inputs, tensors, options);
    values.set(layer.name, quantised && !NOT_ROUNDED.has(layer.kind) ? asBytes(output) : output);
  }
  return values.get(graph.outputs[0]!.name) as tf.Tensor2D;
}

function runLayer(
  layer: Layer,
  inputs: tf.Tensor[],
  tensors: Tensors,
  options: ForwardOptions,
): tf.Tensor {
  const x = inputs[0]!;
  switch (layer.kind) {
    case 'conv2d':
      return runConvolution(layer, x as tf.Tensor4D, tensors, options);
    case 'depthwiseConv2d': {
      const kernel = kernelOf(layer.name, tensors, options, [0, 1]) as tf.Tensor4D;
      const y = tf.depthwiseConv2d(x as tf.Tensor4D, kernel, [...layer.strides], layer.padding);
      return activate(biased(y, layer.name, tensors), layer.activation);
    }
    case 'dense': {
      const y = tf.matMul(x, kernelOf(layer.name, tensors, options, [0]));
      return activate(biased(y, layer.name, tensors), layer.activation);
    }
    case 'add':
      return activate(tf.add(x, inputs[1]!), layer.activation);
    case 'subtract':
      return activate(tf.sub(x, inputs[1]!), layer.activation);
    case 'multiply':
      return activate(tf.mul(x, inputs[1]!), layer.activation);
    case 'maxPool':
      return tf.maxPool(x as tf.Tensor4D, [...layer.size], [...layer.strides], layer.padding);
    case 'globalAveragePool':
      return tf.mean(x, [1, 2]);
    case 'pad':
      return tf.pad(
        x,
        layer.paddings.map(([before, after]): [number, number] => [before, after]),
      );
    case 'reshape':
      return tf.reshape(x, [x.shape[0], ...layer.shape.slice(1)]);
    case 'concat':
      return tf.concat(inputs, layer.axis);
    case 'l2Normalize':
      return unitRows(x as tf.Tensor2D);
    case 'relu':
    case 'relu6':
      return activate(x, layer.kind);
    case 'sigmoid':
      return tf.sigmoid(x);
    case 'square':
      return tf.square(x);
    case 'sqrt':
      return tf.sqrt(x);
    case 'rsqrt':
      return tf.rsqrt(x);
    case 'negate':
      return tf.neg(x);
    default:
      throw new ClmexError('unsupported', 'this layer cannot be trained', {
        field: layer.name,
        value: layer.kind,
      });
  }
}

function runConvolution(
  layer: Conv2d,
  x: tf.Tensor4D,
  tensors: Tensors,
  options: ForwardOptions,
): tf.Tensor {
  const { onStatistics, wholeOf } = options;
  const { name, activation } = layer;
  const named = (part: string): tf.Tensor1D => tensors.get(`${name}.${part}`) as tf.Tensor1D;
  const kernel = kernelOf(name, tensors, options, [0, 1, 2]) as tf.Tensor4D;
  const y = tf.conv2d(x, kernel, [...layer.strides], layer.padding);
  if (!tensors.has(`${name}.gamma`)) return activate(biased(y, name, tensors), activation);
  const [gamma, beta] = [named('gamma'), named('beta')];
  if (onStatistics === undefined) {
    return activate(applyStatistics(y, gamma, beta, named('mean'), named('variance')), activation);
  }
  const { output, mean, variance } = batchNormalize(y, gamma, beta, activation === 'relu', wholeOf);
  onStatistics(`${name}.mean`, mean);
  onStatistics(`${name}.variance`, variance);
  return activation === 'relu' ? output : activate(output, activation);
}

/** @param within axes that one output channel's weights run along. */
function kernelOf(
  name: string,
  tensors: Tensors,
  { quantised }: ForwardOptions,
  within: readonly number[],
): tf.Tensor {
  const kernel = tensors.get(`${name}.kernel`)!;
  return quantised === true ? asWeights(kernel, within) : kernel;
}

function biased(y: tf.Tensor, name: string, tensors: Tensors): tf.Tensor {
  const bias = tensors.get(`${name}.bias`);
  return bias === undefined ? y : tf.add(y, bias);
}

function activate(y: tf.Tensor, activation: Activation): tf.Tensor {
  if (activation === 'none') return y;
  return activation === 'relu' ? tf.relu(y) : tf.relu6(y);
}

/** Collects tensors into one flat array. */
export class SlotList {
  readonly slots: ParameterSlot[] = [];
  readonly #data: Float32Array[] = [];
  #length = 0;

  add(name: string, { shape, data }: Weights, decays: boolean): void {
    this.slots.push({ name, shape, offset: this.#length, length: data.length, decays });
    this.#data.push(data);
    this.#length += data.length;
  }

  toArray(): Float32Array {
    const all = new Float32Array(this.#length);
    this.slots.forEach(({ offset }, i) => all.set(this.#data[i]!, offset));
    return all;
  }
}

/** The tensors of a flat array, as views onto it. */
export function views(slots: readonly ParameterSlot[], values: Float32Array): Map<string, Weights> {
  return new Map(
    slots.map(({ name, shape, offset, length }) => [
      name,
      { shape, data: values.subarray(offset, offset + length) },
    ]),
  );
}

function withValues(layer: Layer, values: ReadonlyMap<string, Weights>): Layer {
  const copy = (part: string): Weights | undefined => {
    const found = values.get(`${layer.name}.${part}`);
    return found && { shape: found.shape, data: found.data.slice() };
  };
  if (layer.kind === 'conv2d' && values.has(`${layer.name}.gamma`)) return folded(layer, copy);
  if (layer.kind === 'prelu') return { ...layer, alpha: copy('alpha')! };
  if ('kernel' in layer) return { ...layer, kernel: copy('kernel')!, bias: copy('bias') ?? null };
  return layer;
}

/** γ (w∗x − μ) / σ + β as one convolution. */
function folded(layer: Conv2d, part: (name: string) => Weights | undefined): Conv2d {
  const [kernel, gamma, beta, mean, variance] = ['kernel', 'gamma', 'beta', 'mean', 'variance'].map((name) => part(name)!) as [Weights, Weights, Weights, Weights, Weights]; // prettier-ignore
  const channels = gamma.data.length;
  const factor = gamma.data.map(
    (value, c) => value / Math.sqrt(variance.data[c]! + BATCH_NORM_EPSILON),
  );
  kernel.data.forEach((value, i) => (kernel.data[i] = value * factor[i % channels]!));
  const bias = beta.data.map((value, c) => value - mean.data[c]! * factor[c]!);
  return { ...layer, kernel, bias: { shape: [channels], data: bias } };
}

function filled(shape: readonly number[], value: number): Weights {
  return { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value) };
}
