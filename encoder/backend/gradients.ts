import * as tf from '@tensorflow/tfjs-core';
import { depthwiseFilterGradient, depthwiseInputGradient } from './depthwise.js';
import { windowOf, type ConvolutionAttributes } from './window.js';

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

/**
 * dW[k, l, i, o] = Σ x[n, k + s·r, l + s·q, i] dy[n, r, q, o]. For stride 1 one product of x, shifted
 * to each kernel place, with dy; otherwise a convolution of x, its channels as batch and its batch as
 * channels, with dy as a kernel dilated by the stride.
 */
function filterGradient(
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  attributes: ConvolutionAttributes,
): tf.Tensor {
  return tf.tidy(() => {
    const kernel = attributes.filterShape!;
    const { stride, before, after } = windowOf(x.shape, dy.shape, kernel, attributes);
    if (stride[0] === 1 && stride[1] === 1) return shiftedProduct(x, dy, kernel, before, after);
    const shifted = trimmed(tf.transpose<tf.Tensor4D>(x, [3, 1, 2, 0]), before, after);
    const weights = tf.transpose<tf.Tensor4D>(dy, [1, 2, 0, 3]);
    const gradient = tf.conv2d(shifted.tensor, weights, 1, shifted.pad, 'NHWC', stride);
    return tf.transpose(gradient, [1, 2, 0, 3]);
  });
}

/**
 * All pictures of the batch lie on one line, with enough zeros between rows and pictures that what a
 * shift reads past a border is zero. Each kernel place is then one contiguous piece of that line.
 */
function shiftedProduct(
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  kernel: readonly number[],
  before: readonly [number, number],
  after: readonly [number, number],
): tf.Tensor {
  const [batch, height, width, channels] = x.shape;
  const [, rows, columns, out] = dy.shape;
  const tall = Math.max(height + Math.max(before[0], after[0]), rows);
  const wide = Math.max(width + Math.max(before[1], after[1]), columns);
  const length = batch * tall * wide;
  const lead = before[0] * wide + before[1];
  const tail = (kernel[0]! - 1) * wide + kernel[1]! - 1;
  const grid = (values: tf.Tensor4D, h: number, w: number, c: number): tf.Tensor2D =>
    tf.reshape(tf.pad(values, [[0, 0], [0, tall - h], [0, wide - w], [0, 0]]), [length, c]); // prettier-ignore
  const line = tf.transpose(
    tf.pad(grid(x, height, width, channels), [[lead, tail], [0, 0]]), // prettier-ignore
  );
  const views = Array.from({ length: kernel[0]! * kernel[1]! }, (_, at) => {
    const shift = Math.floor(at / kernel[1]!) * wide + (at % kernel[1]!);
    return tf.slice(line, [0, shift], [channels, length]);
  });
  const product = tf.matMul(tf.concat(views, 0), grid(dy, rows, columns, out));
  return tf.reshape(product, [...kernel]);
}

/**
 * dx at row s·j + a gathers dy at rows j + d with the kernel rows k = a + before − s·d: each of the
 * s² phases is a small convolution of dy. Phases of one row are made together, as channels, and so
 * lie side by side already; rows are then interleaved.
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
    const flat = tf.reshape<tf.Rank.R2>(filter, [kernelHeight * kernelWidth, channels * out]);
    const columns = phasesOf(kernelWidth, stride[1], before[1]);
    const cells = [Math.ceil(shape[1] / stride[0]), Math.ceil(shape[2] / stride[1])] as const;
    const lines = Array.from({ length: stride[0] }, (_, a) => {
      const rows = phaseOf(kernelHeight, stride[0], before[0], a);
      const line = [shape[0] * cells[0], 1, cells[1] * stride[1] * channels];
      if (rows.taps === 0) return tf.zeros(line);
      const kernel = phaseKernel(flat, rows, columns, channels, out);
      const after = ([rows, columns] as const).map(
        ({ last }, axis) => cells[axis]! - 1 + last - (dy.shape[axis + 1]! - 1),
      ) as [number, number];
      const input = trimmed(dy, [-rows.first, -columns.first], after);
      return tf.reshape(tf.conv2d(input.tensor, kernel, 1, input.pad), line);
    });
    const all = lines.length === 1 ? lines[0]! : tf.concat(lines, 1);
    const laid = tf.reshape(all, [shape[0], cells[0] * stride[0], cells[1] * stride[1], channels]);
    if (laid.shape[1] === shape[1] && laid.shape[2] === shape[2]) return laid;
    return tf.slice(laid, [0, 0, 0, 0], shape);
  });
}

interface Phases {
  /** Offsets of dy that the phases read, from `first` to `last`. */
  readonly first: number;
  readonly last: number;
  readonly taps: number;
  readonly phases: number;
  /** Kernel index a phase takes at an offset, or −1: `at[tap * phases + phase]`. */
  readonly at: readonly number[];
  readonly kernel: number;
}

/** All phases of one dimension. */
function phasesOf(kernel: number, stride: number, before: number): Phases {
  const first = Math.ceil((before - kernel + 1) / stride);
  const last = Math.floor((stride - 1 + before) / stride);
  const taps = last - first + 1;
  const at = Array.from({ length: taps * stride }, (_, i) => {
    const index = (i % stride) + before - stride * (first + Math.floor(i / stride));
    return index >= 0 && index < kernel ? index : -1;
  });
  return { first, last, taps, phases: stride, at, kernel };
}

/** One phase alone, with the offsets that it reads. */
function phaseOf(kernel: number, stride: number, before: number, phase: number): Phases {
  const first = Math.ceil((phase + before - kernel + 1) / stride);
  const last = Math.floor((phase + before) / stride);
  const taps = Math.max(0, last - first + 1);
  const at = Array.from({ length: taps }, (_, tap) => phase + before - stride * (first + tap));
  return { first, last, taps, phases: 1, at, kernel };
}

/** [tapRows, tapColumns, out, phaseColumns × channels], picked from the kernel by zeros and ones. */
function phaseKernel(
  flat: tf.Tensor2D,
  rows: Phases,
  columns: Phases,
  channels: number,
  out: number,
): tf.Tensor4D {
  const places = rows.kernel * columns.kernel;
  const taps = rows.taps * columns.taps;
  const selection = new Float32Array(taps * columns.phases * places);
  for (let t = 0; t < rows.taps; t++) {
    for (let u = 0; u < columns.taps * columns.phases; u++) {
      const column = columns.at[u]!;
      const line = t * columns.taps * columns.phases + u;
      if (column >= 0) selection[line * places + rows.at[t]! * columns.kernel + column] = 1;
    }
  }
  const picked = tf.matMul(tf.tensor2d(selection, [taps * columns.phases, places]), flat);
  const spread = tf.reshape(picked, [taps, columns.phases, channels, out]);
  return tf.reshape<tf.Rank.R4>(tf.transpose(spread, [0, 3, 1, 2]), [
    rows.taps, columns.taps, out, columns.phases * channels,
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
