import { ClmexError } from '../../core/errors.js';
import type { Activation, Elementwise, Layer, Padding, Unary, Weights } from '../graph.js';
import type { FlatTable } from './flat-table.js';

/** One operator of the file, its tensors resolved; says where it stands when something is wrong. */
export interface Operator {
  readonly name: string;
  /** "operator 12 CONV_2D (makes 'x')" */
  readonly place: string;
  readonly options: FlatTable | undefined;
  /** Names for what is made. */
  readonly output: string;
  /** Declared shape of what is made. */
  readonly outputShape: readonly number[];
  /** Name and shape of a computed input, or of a constant made readable as a tensor. */
  tensor(index: number): { readonly name: string; readonly shape: readonly number[] };
  /** Constant input, undefined where it is left out. */
  constant(index: number): Weights | undefined;
  readonly inputCount: number;
}

const UNARY: Readonly<Record<string, Unary['kind']>> = {
  RELU: 'relu',
  RELU6: 'relu6',
  LOGISTIC: 'sigmoid',
  SQUARE: 'square',
  SQRT: 'sqrt',
  RSQRT: 'rsqrt',
  NEG: 'negate',
};
const ELEMENTWISE: Readonly<Record<string, Elementwise['kind']>> = {
  ADD: 'add',
  SUB: 'subtract',
  MUL: 'multiply',
  DIV: 'divide',
};

/**
 * The layers one operator becomes.
 * @throws ClmexError `unsupported` with the operator's name and place.
 */
export function layersOf(op: Operator): Layer[] {
  const unary = UNARY[op.name];
  if (unary !== undefined) return [{ kind: unary, ...base(op) }];
  const elementwise = ELEMENTWISE[op.name];
  if (elementwise !== undefined)
    return [{ kind: elementwise, name: op.output, inputs: [op.tensor(0).name, op.tensor(1).name], activation: activation(op, 0) }]; // prettier-ignore
  switch (op.name) {
    case 'CONV_2D':
      return [convolution(op)];
    case 'DEPTHWISE_CONV_2D':
      return [depthwise(op)];
    case 'FULLY_CONNECTED':
      return [dense(op)];
    case 'MAX_POOL_2D':
      return [{ kind: 'maxPool', ...base(op), size: [int(op, 4), int(op, 3)], strides: [int(op, 2), int(op, 1)], padding: padding(op) }]; // prettier-ignore
    case 'L2_NORMALIZATION':
      return [{ kind: 'l2Normalize', ...base(op) }];
    case 'PRELU':
      return [{ kind: 'prelu', ...base(op), alpha: flat(needed(op, 1)) }];
    case 'PAD':
      return [{ kind: 'pad', ...base(op), paddings: pairs(op, needed(op, 1)) }];
    case 'RESIZE_BILINEAR':
      return [{ kind: 'resizeBilinear', ...base(op), size: pair(op, needed(op, 1)), alignCorners: bool(op, 2), halfPixelCenters: bool(op, 3) }]; // prettier-ignore
    case 'RESHAPE':
    case 'SQUEEZE':
      return [{ kind: 'reshape', ...base(op), shape: op.outputShape }];
    case 'CONCATENATION':
      return [concat(op)];
    case 'TRANSPOSE':
      return [{ kind: 'transpose', ...base(op), order: whole(needed(op, 1)) }];
    case 'DEPTH_TO_SPACE':
      return [{ kind: 'depthToSpace', ...base(op), blockSize: int(op, 0) }];
    case 'MEAN':
    case 'SUM':
      return [{ kind: op.name === 'MEAN' ? 'mean' : 'sum', ...base(op), axes: axes(op), keepDims: bool(op, 0) }]; // prettier-ignore
    case 'SQUARED_DIFFERENCE':
      return squaredDifference(op);
    case 'STRIDED_SLICE':
      return stridedSlice(op);
    default:
      throw new ClmexError('unsupported', 'an operator that is not known', {
        field: op.place,
        value: op.name,
      });
  }
}

const base = (op: Operator) => ({ name: op.output, inputs: [op.tensor(0).name] });
const int = (op: Operator, field: number): number => op.options?.int32(field) ?? 0;
const bool = (op: Operator, field: number): boolean => op.options?.int8(field) === 1;
const flat = (weights: Weights): Weights => ({ shape: [weights.data.length], data: weights.data });
const whole = (weights: Weights): number[] => Array.from(weights.data);

function needed(op: Operator, index: number): Weights {
  const weights = op.constant(index);
  if (weights === undefined)
    throw new ClmexError('unsupported', `input ${index} must be a constant`, { field: op.place });
  return weights;
}

function convolution(op: Operator): Layer {
  const kernel = needed(op, 1);
  refuseDilation(op, 4);
  const [out, height, width, channels] = kernel.shape as readonly [number, number, number, number];
  if (kernel.shape.length !== 4) throw misshapen(op, kernel);
  // [out, h, w, in] → [h, w, in, out]
  const spatial = height * width * channels;
  return {
    kind: 'conv2d',
    ...base(op),
    kernel: { shape: [height, width, channels, out], data: swap(kernel.data, out, spatial) },
    bias: op.constant(2) ?? null,
    strides: [int(op, 2), int(op, 1)],
    padding: padding(op),
    activation: activation(op, 3),
  };
}

function depthwise(op: Operator): Layer {
  const kernel = needed(op, 1);
  refuseDilation(op, 5);
  const [, height, width, channels] = kernel.shape as readonly [number, number, number, number];
  const multiplier = int(op, 3);
  if (kernel.shape.length !== 4 || channels % multiplier !== 0) throw misshapen(op, kernel);
  return {
    kind: 'depthwiseConv2d',
    ...base(op),
    kernel: { shape: [height, width, channels / multiplier, multiplier], data: kernel.data },
    bias: op.constant(2) ?? null,
    strides: [int(op, 2), int(op, 1)],
    padding: padding(op),
    activation: activation(op, 4),
  };
}

function dense(op: Operator): Layer {
  const kernel = needed(op, 1);
  const [out, inputs] = kernel.shape as readonly [number, number];
  if (kernel.shape.length !== 2) throw misshapen(op, kernel);
  return {
    kind: 'dense',
    ...base(op),
    kernel: { shape: [inputs, out], data: swap(kernel.data, out, inputs) },
    bias: op.constant(2) ?? null,
    activation: activation(op, 0),
  };
}

function concat(op: Operator): Layer {
  const inputs = Array.from({ length: op.inputCount }, (_, i) => op.tensor(i).name);
  if (activation(op, 1) !== 'none')
    throw new ClmexError('unsupported', 'an activation after CONCATENATION', { field: op.place });
  const axis = int(op, 0);
  return {
    kind: 'concat',
    name: op.output,
    inputs,
    axis: axis < 0 ? axis + op.outputShape.length : axis,
  };
}

function squaredDifference(op: Operator): Layer[] {
  const name = `${op.output}/difference`;
  const inputs = [op.tensor(0).name, op.tensor(1).name];
  return [
    { kind: 'subtract', name, inputs, activation: 'none' },
    { kind: 'square', name: op.output, inputs: [name] },
  ];
}

/** Steps of one; a masked or missing bound is the tensor's own. */
function stridedSlice(op: Operator): Layer[] {
  const { shape } = op.tensor(0);
  const [begin, end, steps] = [1, 2, 3].map((i) => whole(needed(op, i))) as [number[], number[], number[]]; // prettier-ignore
  const [beginMask, endMask, ellipsis, newAxis, shrink] = [0, 1, 2, 3, 4].map((i) => int(op, i)) as [number, number, number, number, number]; // prettier-ignore
  const sound = steps.every((step) => step === 1) && ellipsis === 0 && newAxis === 0;
  if (!sound || [begin, end, steps].some((list) => list.length !== shape.length))
    throw new ClmexError('unsupported', 'a slice with steps, an ellipsis or new axes', {
      field: op.place,
    });
  const fromEnd = (value: number, size: number): number => (value < 0 ? value + size : value);
  const first = shape.map((size, i) => (beginMask & (1 << i) ? 0 : fromEnd(begin[i]!, size)));
  const size = shape.map((length, i) => {
    if (shrink & (1 << i)) return 1;
    const last = endMask & (1 << i) ? length : Math.min(length, fromEnd(end[i]!, length));
    return last - first[i]!;
  });
  if (shrink === 0) return [{ kind: 'slice', ...base(op), begin: first, size }];
  const name = `${op.output}/slice`;
  return [
    { kind: 'slice', name, inputs: [op.tensor(0).name], begin: first, size },
    { kind: 'reshape', name: op.output, inputs: [name], shape: op.outputShape },
  ];
}

function axes(op: Operator): number[] {
  const rank = op.tensor(0).shape.length;
  return whole(needed(op, 1)).map((axis) => (axis < 0 ? axis + rank : axis));
}

function padding(op: Operator): Padding {
  return op.options?.int8(0) === 1 ? 'valid' : 'same';
}

function activation(op: Operator, field: number): Activation {
  const kind = op.options?.int8(field) ?? 0;
  const known = ({ 0: 'none', 1: 'relu', 3: 'relu6' } as Record<number, Activation>)[kind];
  if (known === undefined)
    throw new ClmexError('unsupported', 'a fused activation that is not known', {
      field: op.place,
      value: kind,
      allowed: 'none (0), RELU (1), RELU6 (3)',
    });
  return known;
}

/** Dilation factors default to 1, which the file may leave out. */
function refuseDilation(op: Operator, field: number): void {
  if ([field, field + 1].some((f) => int(op, f) > 1))
    throw new ClmexError('unsupported', 'a dilated convolution', { field: op.place });
}

function pairs(op: Operator, { shape, data }: Weights): (readonly [number, number])[] {
  if (shape.length !== 2 || shape[1] !== 2) throw misshapen(op, { shape, data });
  return Array.from({ length: shape[0]! }, (_, i) => [data[2 * i]!, data[2 * i + 1]!] as const);
}

function pair(op: Operator, weights: Weights): readonly [number, number] {
  if (weights.data.length !== 2) throw misshapen(op, weights);
  return [weights.data[0]!, weights.data[1]!];
}

/** [rows, columns] → [columns, rows] */
function swap(data: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c]!;
  }
  return out;
}

function misshapen(op: Operator, { shape }: Weights): ClmexError {
  return new ClmexError('model-invalid', 'a constant of the wrong shape', {
    field: op.place,
    value: shape,
  });
}
