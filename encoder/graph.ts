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
/** A value that does not depend on the input; its first dimension does not follow the batch. */
export interface Constant extends Base {
  readonly kind: 'constant';
  readonly value: Weights;
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
  /** With NumPy's broadcasting. */
  readonly kind: 'add' | 'subtract' | 'multiply' | 'divide';
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
export interface Transpose extends Base {
  readonly kind: 'transpose';
  /** Dimension of the input that becomes each dimension of the output; the batch stays first. */
  readonly order: readonly number[];
}
export interface Reduce extends Base {
  readonly kind: 'mean' | 'sum';
  /** Never the batch. */
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}
/** A box of the tensor: `size` elements from `begin` on, a dimension; the batch is kept whole. */
export interface Slice extends Base {
  readonly kind: 'slice';
  readonly begin: readonly number[];
  readonly size: readonly number[];
}
/** Blocks of channels become squares of pixels: [n, h, w, b²·c] → [n, b·h, b·w, c]. */
export interface DepthToSpace extends Base {
  readonly kind: 'depthToSpace';
  readonly blockSize: number;
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
  | L2Normalize
  | Constant
  | Transpose
  | Reduce
  | Slice
  | DepthToSpace;

export interface Graph {
  readonly name: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly layers: readonly Layer[];
}
