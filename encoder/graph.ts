/**
 * The one definition of a network: a typed list of layers with weights, in topological order.
 * Tensors are named; every layer makes one tensor, called like the layer. Activations are NHWC with
 * a batch as first dimension; weights lie in the layouts stated at each layer (TensorFlow.js's own).
 */
export type Padding = 'same' | 'valid';
export type Activation = 'none' | 'relu' | 'relu6';

export interface TensorSpec {
  readonly name: string;
  /** Batch first; the batch is free whatever number stands here. */
  readonly shape: readonly number[];
}

interface Base {
  /** Unique; also the name of the tensor the layer makes. */
  readonly name: string;
  /** Tensors read: graph inputs or earlier layers. */
  readonly inputs: readonly string[];
}

export interface Conv2d extends Base {
  readonly kind: 'conv2d';
  /** [kernelHeight, kernelWidth, in, out] */
  readonly kernel: Weights;
  readonly bias: Weights | null;
  readonly strides: readonly [number, number];
  readonly padding: Padding;
  readonly activation: Activation;
}
export interface DepthwiseConv2d extends Base {
  readonly kind: 'depthwiseConv2d';
  /** [kernelHeight, kernelWidth, channels, multiplier] */
  readonly kernel: Weights;
  readonly bias: Weights | null;
  readonly strides: readonly [number, number];
  readonly padding: Padding;
  readonly activation: Activation;
}
export interface Dense extends Base {
  readonly kind: 'dense';
  /** [in, out] */
  readonly kernel: Weights;
  readonly bias: Weights | null;
  readonly activation: Activation;
}
export interface MaxPool extends Base {
  readonly kind: 'maxPool';
  readonly size: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly padding: Padding;
}
/** Mean over height and width: [n, h, w, c] → [n, c]. */
export interface GlobalAveragePool extends Base {
  readonly kind: 'globalAveragePool';
}
/** Zero padding, [before, after] a dimension. */
export interface Pad extends Base {
  readonly kind: 'pad';
  readonly paddings: readonly (readonly [number, number])[];
}
export interface Prelu extends Base {
  readonly kind: 'prelu';
  /** Slope a channel, [channels]. */
  readonly alpha: Weights;
}
export interface Elementwise extends Base {
  readonly kind: 'add' | 'subtract' | 'multiply';
  readonly activation: Activation;
}
export interface Unary extends Base {
  readonly kind: 'relu' | 'relu6' | 'sigmoid' | 'square' | 'sqrt' | 'rsqrt' | 'negate';
}
export interface Reshape extends Base {
  readonly kind: 'reshape';
  /** Batch first; the batch stays free. */
  readonly shape: readonly number[];
}
export interface Concat extends Base {
  readonly kind: 'concat';
  readonly axis: number;
}
export interface ResizeBilinear extends Base {
  readonly kind: 'resizeBilinear';
  readonly size: readonly [number, number];
  readonly halfPixelCenters: boolean;
  readonly alignCorners: boolean;
}
/** x / max(|x|₂, 1e-12) over the last axis. */
export interface L2Normalize extends Base {
  readonly kind: 'l2Normalize';
}

export interface Weights {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export type Layer =
  | Conv2d
  | DepthwiseConv2d
  | Dense
  | MaxPool
  | GlobalAveragePool
  | Pad
  | Prelu
  | Elementwise
  | Unary
  | Reshape
  | Concat
  | ResizeBilinear
  | L2Normalize;

export interface Graph {
  readonly name: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly layers: readonly Layer[];
}
