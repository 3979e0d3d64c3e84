import * as tf from '@tensorflow/tfjs-core';
import { depthwiseFilterGradient, depthwiseInputGradient } from './depthwise.js';

/** What TensorFlow.js passes to its convolution kernels. */
export interface ConvolutionAttributes {
  readonly strides: [number, number] | number;
  readonly pad: 'same' | 'valid' | number | [number, number][];
  readonly inputShape?: [number, number, number, number];
  readonly filterShape?: [number, number, number, number];
}

type Inputs = Readonly<Record<string, tf.TensorInfo>>;

/**
 * Gives a backend the convolution gradients it lacks, or has only slowly, written as forward
 * convolutions; every `tf.grad` on that backend then finds them. The WASM backend has no filter
 * gradient and no depthwise gradients, and its input gradient runs at a fifth of its forward speed.
 */
export function registerForwardGradients(backendName: string): void {
  const register = (
    kernelName: string,
    run: (inputs: Inputs, attributes: ConvolutionAttributes) => tf.Tensor,
  ): void => {
    const present = tf.getKernel(kernelName, backendName) as tf.KernelConfig | undefined;
    if (present !== undefined) tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) =>
        run(inputs as Inputs, attrs as unknown as ConvolutionAttributes),
    });
  };
  register('Conv2DBackpropFilter', ({ x, dy }, attributes) =>
    filterGradient(x as tf.Tensor4D, dy as tf.Tensor4D, attributes));
  register('Conv2DBackpropInput', ({ dy, filter }, attributes) =>
    inputGradient(dy as tf.Tensor4D, filter as tf.Tensor4D, attributes));
  register('DepthwiseConv2dNativeBackpropFilter', ({ x, dy }, attributes) =>
    depthwiseFilterGradient(x as tf.Tensor4D, dy as tf.Tensor4D, attributes));
  register('DepthwiseConv2dNativeBackpropInput', ({ dy, filter }, attributes) =>
    depthwiseInputGradient(dy as tf.Tensor4D, filter as tf.Tensor4D, attributes));
} // prettier-ignore

/** Stride and zeros before and after, for rows (0) and columns (1). */
export interface Window {
  readonly stride: [number, number];
  readonly before: [number, number];
  readonly after: [number, number];
}

export function windowOf(
  input: readonly number[],
  output: readonly number[],
  kernel: readonly number[],
  { strides, pad }: ConvolutionAttributes,
): Window {
  const stride: [number, number] = typeof strides === 'number' ? [strides, strides] : strides;
  const before: [number, number] = [0, 0];
  const after: [number, number] = [0, 0];
  for (const axis of [0, 1] as const) {
    const needed = (output[axis + 1]! - 1) * stride[axis] + kernel[axis]! - input[axis + 1]!;
    if (pad === 'same') before[axis] = Math.floor(Math.max(0, needed) / 2);
    else if (typeof pad === 'number') before[axis] = pad;
    else if (Array.isArray(pad)) before[axis] = pad[axis + 1]![0];
    after[axis] = needed - before[axis];
  }
  return { stride, before, after };
}

/**
 * dW[k, l, i, o] = Σ x[n, k + s·r, l + s·q, i] dy[n, r, q, o]: a convolution of x, its channels as
 * batch and its batch as channels, with dy as a kernel dilated by the stride.
 */
function filterGradient(
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  attributes: ConvolutionAttributes,
): tf.Tensor {
  return tf.tidy(() => {
    const kernel = attributes.filterShape!;
    const { stride, before, after } = windowOf(x.shape, dy.shape, kernel, attributes);
    const shifted = trimmed(tf.transpose<tf.Tensor4D>(x, [3, 1, 2, 0]), before, after);
    const weights = tf.transpose<tf.Tensor4D>(dy, [1, 2, 0, 3]);
    const gradient = tf.conv2d(shifted.tensor, weights, 1, shifted.pad, 'NHWC', stride);
    return tf.transpose(gradient, [1, 2, 0, 3]);
  });
}

/**
 * dx at row s·j + a gathers dy at rows j + d with the kernel rows k = a + before − s·d: each of the
 * s² phases is a small convolution of dy; one convolution makes all phases as channels, and
 * depth-to-space lays them out.
 */
function inputGradient(
  dy: tf.Tensor4D,
  filter: tf.Tensor4D,
  attributes: ConvolutionAttributes,
): tf.Tensor {
  return tf.tidy(() => {
    const shape = attributes.inputShape!;
    const [kernelHeight, kernelWidth, channels, out] = filter.shape;
    const { stride, before } = windowOf(shape, dy.shape, filter.shape, attributes);
    const rows = phases(kernelHeight, stride[0], before[0]);
    const columns = phases(kernelWidth, stride[1], before[1]);
    const selection = tf.tensor2d(crossed(rows, columns), [
      rows.taps * columns.taps * stride[0] * stride[1],
      kernelHeight * kernelWidth,
    ]);
    const flat = tf.reshape<tf.Rank.R2>(filter, [kernelHeight * kernelWidth, channels * out]);
    const [taps, count] = [rows.taps * columns.taps, stride[0] * stride[1]];
    const spread = tf.reshape(tf.matMul(selection, flat), [taps, count, channels, out]);
    const kernel = tf.reshape<tf.Rank.R4>(tf.transpose(spread, [0, 3, 1, 2]), [
      rows.taps, columns.taps, out, count * channels,
    ]); // prettier-ignore
    const cells = [Math.ceil(shape[1] / stride[0]), Math.ceil(shape[2] / stride[1])];
    const after = ([rows, columns] as const).map(
      ({ last }, axis) => cells[axis]! - 1 + last - (dy.shape[axis + 1]! - 1),
    ) as [number, number];
    const input = trimmed(dy, [-rows.first, -columns.first], after);
    const all = tf.conv2d(input.tensor, kernel, 1, input.pad);
    const laid = stride[0] === 1 && stride[1] === 1 ? all : layOut(all, stride, channels);
    if (laid.shape[1] === shape[1] && laid.shape[2] === shape[2]) return laid;
    return tf.slice(laid, [0, 0, 0, 0], shape);
  });
}

interface Phases {
  /** Offsets of dy that any phase reads, from `first` to `last`. */
  readonly first: number;
  readonly last: number;
  readonly taps: number;
  /** Kernel index a phase takes at an offset, or −1: `at[tap * stride + phase]`. */
  readonly at: readonly number[];
  readonly stride: number;
  readonly kernel: number;
}

function phases(kernel: number, stride: number, before: number): Phases {
  const first = Math.ceil((before - kernel + 1) / stride);
  const last = Math.floor((stride - 1 + before) / stride);
  const taps = last - first + 1;
  const at = Array.from({ length: taps * stride }, (_, i) => {
    const index = (i % stride) + before - stride * (first + Math.floor(i / stride));
    return index >= 0 && index < kernel ? index : -1;
  });
  return { first, last, taps, at, stride, kernel };
}

/** Zeros and ones, rows (tapRow, tapColumn, phaseRow, phaseColumn), columns kernel places. */
function crossed(rows: Phases, columns: Phases): Float32Array {
  const places = rows.kernel * columns.kernel;
  const count = rows.taps * columns.taps * rows.stride * columns.stride;
  const selection = new Float32Array(count * places);
  let line = 0;
  for (let t = 0; t < rows.taps; t++)
    for (let u = 0; u < columns.taps; u++)
      for (let a = 0; a < rows.stride; a++)
        for (let b = 0; b < columns.stride; b++) {
          const [k, l] = [rows.at[t * rows.stride + a]!, columns.at[u * columns.stride + b]!];
          if (k >= 0 && l >= 0) selection[line * places + k * columns.kernel + l] = 1;
          line++;
        }
  return selection;
}

function layOut(all: tf.Tensor4D, stride: [number, number], channels: number): tf.Tensor4D {
  if (stride[0] === stride[1]) return tf.depthToSpace(all, stride[0]);
  const [batch, height, width] = all.shape;
  const split = tf.reshape(all, [batch * height, width, stride[0], stride[1] * channels]);
  return tf.reshape<tf.Rank.R4>(tf.transpose(split, [0, 2, 1, 3]), [
    batch, height * stride[0], width * stride[1], channels,
  ]); // prettier-ignore
}

/** Negative padding means rows or columns that no output reads: they are cut off. */
function trimmed(
  tensor: tf.Tensor4D,
  before: readonly [number, number],
  after: readonly [number, number],
): {
  tensor: tf.Tensor4D;
  pad: [[number, number], [number, number], [number, number], [number, number]];
} {
  const [batch, height, width, channels] = tensor.shape;
  const cut = (value: number): number => Math.max(0, -value);
  const start = [0, cut(before[0]), cut(before[1]), 0];
  const size = [
    batch,
    height - start[1]! - cut(after[0]),
    width - start[2]! - cut(after[1]),
    channels,
  ];
  const whole = size[1] === height && size[2] === width;
  return {
    tensor: whole ? tensor : tf.slice(tensor, start, size),
    pad: [
      [0, 0],
      [Math.max(0, before[0]), Math.max(0, after[0])],
      [Math.max(0, before[1]), Math.max(0, after[1])],
      [0, 0],
    ],
  };
}
