import { ClmexError } from '../../core/errors.js';
import { elements, inferShapes, samePads, type Shape } from '../formats/shapes.js';
import type { Conv2d, DepthwiseConv2d, Elementwise, Layer, MaxPool, Padding } from '../graph.js';
import {
  clampByte, dequantize, quantize, roundHalfEven, type QuantizedGraph, type QuantizedWeights,
  type QuantParams,
} from './scheme.js'; // prettier-ignore

/** What the integer reference makes of one item: bytes by tensor, and what is computed in float. */
export interface IntegerRun {
  readonly bytes: ReadonlyMap<string, Uint8Array>;
  readonly floats: ReadonlyMap<string, Float32Array>;
}

/**
 * The reference every int8 file is held against. It computes what ONNX defines for QLinearConv,
 * QLinearAdd and their kin, with float32 rescaling as ONNX Runtime and XNNPACK do it: sums in int32,
 * multiplied by float32(input scale × weight scale) ÷ output scale, halves to the even number, then
 * the zero point, then clamped to a byte. Plain loops: for tests, reports and choosing, not for speed.
 * @param input one item of the graph's one input.
 */
export function runInteger(quantized: QuantizedGraph, input: Float32Array): IntegerRun {
  const { graph, tensors } = quantized;
  const shapes = inferShapes(graph);
  const first = graph.inputs[0]!;
  const params = tensors.get(first.name)!;
  const bytes = new Map<string, Uint8Array>([
    [first.name, Uint8Array.from(input, (x) => quantize(x, params))],
  ]);
  const floats = new Map<string, Float32Array>();
  for (const layer of graph.layers) {
    const sources = layer.inputs.map((name) => bytes.get(name));
    if (tensors.has(layer.name)) {
      bytes.set(layer.name, runLayer(layer, sources as Uint8Array[], quantized, shapes));
    } else {
      const [name = ''] = layer.inputs;
      const given = tensors.get(name)!;
      floats.set(layer.name, unit(Float32Array.from(sources[0]!, (q) => dequantize(q, given))));
    }
  }
  return { bytes, floats };
}

function runLayer(
  layer: Layer,
  inputs: readonly Uint8Array[],
  { tensors, weights }: QuantizedGraph,
  shapes: ReadonlyMap<string, Shape>,
): Uint8Array {
  const x = inputs[0]!;
  const shape = shapes.get(layer.inputs[0]!)!;
  const from = tensors.get(layer.inputs[0]!)!;
  const to = tensors.get(layer.name)!;
  switch (layer.kind) {
    case 'conv2d':
    case 'depthwiseConv2d':
      return convolve(layer, x, shape, shapes.get(layer.name)!, weights.get(layer.name)!, from, to);
    case 'dense':
      return multiply(x, weights.get(layer.name)!, from, to);
    case 'add':
      return add(layer, inputs, tensors);
    case 'maxPool':
      return maxPool(layer, x, shape, shapes.get(layer.name)!);
    case 'globalAveragePool':
      return average(x, shape, from, to);
    case 'reshape':
      return x;
    default:
      throw new ClmexError('unsupported', 'this layer has no integer form', {
        field: layer.name,
        value: layer.kind,
      });
  }
}

type Rescale = (sum: number, channel: number) => number;

function rescaler(own: QuantizedWeights, from: QuantParams, to: QuantParams): Rescale {
  const factors = own.scales.map((scale) => Math.fround(from.scale * scale) / to.scale);
  return (sum, channel) =>
    clampByte(roundHalfEven(Math.fround(Math.fround(sum) * factors[channel]!)) + to.zeroPoint);
}

/** Zeros before the first row and column. */
function offsets(
  padding: Padding,
  [, height, width]: Shape,
  size: Shape,
  strides: Shape,
): readonly [number, number] {
  if (padding === 'valid') return [0, 0];
  return [samePads(height!, size[0]!, strides[0]!)[0], samePads(width!, size[1]!, strides[1]!)[0]];
}

function convolve(
  layer: Conv2d | DepthwiseConv2d,
  x: Uint8Array,
  shape: Shape,
  made: Shape,
  own: QuantizedWeights,
  from: QuantParams,
  to: QuantParams,
): Uint8Array {
  const [kernelHeight, kernelWidth] = layer.kernel.shape as readonly [number, number];
  const [, height, width, channels] = shape as readonly [number, number, number, number];
  const [, rows, columns, outputs] = made as readonly [number, number, number, number];
  const [top, left] = offsets(layer.padding, shape, layer.kernel.shape, layer.strides);
  const add = layer.kind === 'conv2d' ? addPixel : addPixelDepthwise;
  const rescale = rescaler(own, from, to);
  const out = new Uint8Array(elements(made));
  const sums = new Int32Array(outputs);
  for (let place = 0; place < rows * columns; place++) {
    const y0 = Math.floor(place / columns) * layer.strides[0] - top;
    const x0 = (place % columns) * layer.strides[1] - left;
    sums.set(own.bias);
    for (let ky = 0; ky < kernelHeight; ky++) {
      for (let kx = 0; kx < kernelWidth; kx++) {
        const [py, px] = [y0 + ky, x0 + kx];
        if (py < 0 || px < 0 || py >= height || px >= width) continue;
        const pixel = (py * width + px) * channels;
        add(sums, x, pixel, channels, from.zeroPoint, own.kernel, (ky * kernelWidth + kx) * channels); // prettier-ignore
      }
    }
    for (let c = 0; c < outputs; c++) out[place * outputs + c] = rescale(sums[c]!, c);
  }
  return out;
}

/** @param row of the kernel seen as [kernelHeight × kernelWidth × in, out]. */
function addPixel(
  sums: Int32Array,
  x: Uint8Array,
  pixel: number,
  channels: number,
  zeroPoint: number,
  kernel: Int8Array,
  row: number,
): void {
  const outputs = sums.length;
  for (let i = 0; i < channels; i++) {
    const value = x[pixel + i]! - zeroPoint;
    if (value === 0) continue;
    const base = (row + i) * outputs;
    for (let c = 0; c < outputs; c++) sums[c]! += value * kernel[base + c]!;
  }
}

function addPixelDepthwise(
  sums: Int32Array,
  x: Uint8Array,
  pixel: number,
  channels: number,
  zeroPoint: number,
  kernel: Int8Array,
  row: number,
): void {
  const multiplier = sums.length / channels;
  for (let c = 0; c < sums.length; c++) {
    const value = x[pixel + Math.floor(c / multiplier)]! - zeroPoint;
    sums[c]! += value * kernel[row * multiplier + c]!;
  }
}

function multiply(x: Uint8Array, own: QuantizedWeights, from: QuantParams, to: QuantParams) {
  const sums = own.bias.slice();
  addPixel(sums, x, 0, x.length, from.zeroPoint, own.kernel, 0);
  const rescale = rescaler(own, from, to);
  return Uint8Array.from(sums, rescale);
}

function add(
  { name, inputs: [p = '', q = ''] }: Elementwise,
  [a, b]: readonly Uint8Array[],
  tensors: QuantizedGraph['tensors'],
): Uint8Array {
  const [from, with_, to] = [tensors.get(p)!, tensors.get(q)!, tensors.get(name)!];
  const [left, right] = [Math.fround(from.scale / to.scale), Math.fround(with_.scale / to.scale)];
  // Ties are common where scales are alike, so the order of ONNX Runtime's fused steps matters.
  const zeros = Math.fround(left * from.zeroPoint + Math.fround(right * with_.zeroPoint));
  const fixed = Math.fround(to.zeroPoint - zeros);
  return a!.map((value, i) => {
    const sum = Math.fround(right * b![i]! + fixed);
    return clampByte(roundHalfEven(Math.fround(left * value + sum)));
  });
}

function maxPool(layer: MaxPool, x: Uint8Array, shape: Shape, made: Shape): Uint8Array {
  const [, height, width, channels] = shape as readonly [number, number, number, number];
  const [, rows, columns] = made as readonly [number, number, number, number];
  const [top, left] = offsets(layer.padding, shape, layer.size, layer.strides);
  const out = new Uint8Array(elements(made));
  for (let place = 0; place < rows * columns; place++) {
    const y0 = Math.floor(place / columns) * layer.strides[0] - top;
    const x0 = (place % columns) * layer.strides[1] - left;
    for (let py = Math.max(0, y0); py < Math.min(height, y0 + layer.size[0]); py++) {
      for (let px = Math.max(0, x0); px < Math.min(width, x0 + layer.size[1]); px++) {
        for (let c = 0; c < channels; c++) {
          const at = place * channels + c;
          out[at] = Math.max(out[at]!, x[(py * width + px) * channels + c]!);
        }
      }
    }
  }
  return out;
}

function average(x: Uint8Array, shape: Shape, from: QuantParams, to: QuantParams): Uint8Array {
  const channels = shape[3]!;
  const places = x.length / channels;
  const factor = Math.fround(from.scale / Math.fround(to.scale * places));
  const sums = new Int32Array(channels).fill(-places * from.zeroPoint);
  x.forEach((value, i) => (sums[i % channels]! += value));
  return Uint8Array.from(sums, (sum) =>
    clampByte(roundHalfEven(Math.fround(sum * factor)) + to.zeroPoint),
  );
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.max(1e-12, Math.hypot(...vector));
  return vector.map((value) => value / length);
}
