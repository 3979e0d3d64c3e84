import type { Conv2d, Dense, DepthwiseConv2d, Graph, Layer } from '../graph.js';

/**
 * How a tensor of activations is stored: real = scale × (q − zeroPoint), q a byte 0…255. What is
 * written for engines that want signed bytes is q − 128 with zeroPoint − 128: the same numbers.
 */
export interface QuantParams {
  /** A float32 value, as every engine holds it. */
  readonly scale: number;
  /** 0…255; 0 behind a ReLU, so that storing the byte is the ReLU. */
  readonly zeroPoint: number;
}

/**
 * Largest weight by size. x64 without VNNI adds two products of a byte and a weight in 16 bits:
 * 2 · 255 · 64 fits, so that every processor multiplies exactly, and with its fastest kernel.
 */
export const LARGEST_WEIGHT = 64;

/** Weights of one layer: real = scales[c] × q for output channel c, biases in the sums' own unit. */
export interface QuantizedWeights {
  /** In the layout of the graph's kernel: the output channel runs fastest. −64…64. */
  readonly kernel: Int8Array;
  /** One a output channel, float32 values. */
  readonly scales: Float32Array;
  /** Unit of channel c: input scale × scales[c]. */
  readonly bias: Int32Array;
}

/** A graph with everything an integer engine needs beside it. */
export interface QuantizedGraph {
  /** Structure and float weights; equalised where that was chosen. */
  readonly graph: Graph;
  /** Every tensor that lives in bytes; those missing are computed in float from such ones. */
  readonly tensors: ReadonlyMap<string, QuantParams>;
  /** By layer name. */
  readonly weights: ReadonlyMap<string, QuantizedWeights>;
}

export type WeightedLayer = Conv2d | DepthwiseConv2d | Dense;

export function isWeighted(layer: Layer): layer is WeightedLayer {
  return layer.kind === 'conv2d' || layer.kind === 'depthwiseConv2d' || layer.kind === 'dense';
}

/** Output channels of a layer with a kernel; element i of the kernel belongs to channel i mod this. */
export function outputChannels({ kind, kernel: { shape } }: WeightedLayer): number {
  return kind === 'depthwiseConv2d' ? shape[2]! * shape[3]! : shape.at(-1)!;
}

/** To the nearest whole number, halves to the even one: what engines' float-to-integer steps do. */
export function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

export const clampByte = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value);

/** The parameters of a range; zero is always inside, so that padding is exact. */
export function paramsOf(low: number, high: number): QuantParams {
  const [from, to] = [Math.min(0, low), Math.max(0, high)];
  const scale = Math.fround(Math.max((to - from) / 255, 1e-9));
  return { scale, zeroPoint: clampByte(roundHalfEven(Math.abs(from) / scale)) };
}

/** Lowest and highest number a tensor can hold. */
export function rangeOf({ scale, zeroPoint }: QuantParams): readonly [low: number, high: number] {
  return [-zeroPoint * scale, (255 - zeroPoint) * scale];
}

export function quantize(value: number, { scale, zeroPoint }: QuantParams): number {
  return clampByte(roundHalfEven(Math.fround(value / scale)) + zeroPoint);
}

export function dequantize(q: number, { scale, zeroPoint }: QuantParams): number {
  return Math.fround((q - zeroPoint) * scale);
}
