import { ClmexError } from '../../core/errors.js';
import type { Graph, Layer, Padding, Weights } from '../graph.js';

export type Shape = readonly number[];
const MOST_ELEMENTS = 1 << 26;

/**
 * The shape of every tensor of a graph, batch as the inputs state it. Checks on the way that each
 * layer can work on what it is given.
 * @throws ClmexError `model-invalid` naming the layer.
 */
export function inferShapes(graph: Graph): ReadonlyMap<string, Shape> {
  const shapes = new Map<string, Shape>();
  const define = (name: string, shape: Shape): void => {
    if (shapes.has(name)) throw wrong(name, 'two tensors of one name');
    const count = shape.reduce((product, size) => (size >= 1 ? product * size : NaN), 1);
    if (!(shape.every(Number.isInteger) && count <= MOST_ELEMENTS))
      throw wrong(name, 'impossible shape', shape);
    shapes.set(name, shape);
  };
  for (const { name, shape } of graph.inputs) define(name, shape);
  for (const layer of graph.layers) {
    const inputs = layer.inputs.map((name) => {
      const shape = shapes.get(name);
      if (shape === undefined) throw wrong(layer.name, 'reads a tensor nobody made before', name);
      return shape;
    });
    define(layer.name, shapeOf(layer, inputs));
  }
  for (const { name, shape } of graph.outputs) {
    const made = shapes.get(name);
    if (made?.join() !== shape.join()) throw wrong(name, 'output is not what was declared', made);
  }
  return shapes;
}

function shapeOf(layer: Layer, inputs: readonly Shape[]): Shape {
  const x = inputs[0] ?? [];
  const want = (sound: boolean, what: string): void => {
    if (!sound) throw wrong(layer.name, `${layer.kind}: ${what}`, inputs);
  };
  switch (layer.kind) {
    case 'add':
    case 'subtract':
    case 'multiply':
    case 'divide':
      want(inputs.length === 2, 'takes two inputs');
      return broadcast(layer.name, x, inputs[1]!);
    case 'concat':
      want(inputs.length > 0, 'takes an input');
      return concatenated(layer.name, layer.axis, inputs);
    case 'constant':
      want(inputs.length === 0, 'takes no input');
      checkWeights(layer.name, layer.value);
      return layer.value.shape;
    default:
      want(inputs.length === 1, 'takes one input');
      return shapeOfUnary(layer, x, want);
  }
}

type Want = (sound: boolean, what: string) => void;

function shapeOfUnary(layer: Layer, x: Shape, want: Want): Shape {
  switch (layer.kind) {
    case 'conv2d':
    case 'depthwiseConv2d':
    case 'dense':
    case 'prelu':
      return shapeOfWeighted(layer, x, want);
    case 'maxPool':
      want(x.length === 4, 'takes [n, h, w, c]');
      return window(layer.name, x, layer.size, layer.strides, layer.padding, x[3]!);
    case 'globalAveragePool':
      want(x.length === 4, 'takes [n, h, w, c]');
      return [x[0]!, x[3]!];
    case 'resizeBilinear':
      want(x.length === 4, 'takes [n, h, w, c]');
      return [x[0]!, layer.size[0], layer.size[1], x[3]!];
    case 'depthToSpace': {
      const square = layer.blockSize ** 2;
      want(x.length === 4 && square > 0 && x[3]! % square === 0, 'blocks do not fit the channels');
      return [x[0]!, x[1]! * layer.blockSize, x[2]! * layer.blockSize, x[3]! / square];
    }
    case 'pad':
      want(layer.paddings.length === x.length, 'one pair a dimension');
      want(
        layer.paddings.flat().every((size) => size >= 0),
        'only widens',
      );
      return x.map((size, i) => size + layer.paddings[i]![0] + layer.paddings[i]![1]);
    case 'reshape':
      want(elements(layer.shape) === elements(x), 'keeps the number of elements');
      return layer.shape;
    case 'transpose':
      want([...layer.order].sort((a, b) => a - b).join() === x.map((_, i) => i).join(), 'each dimension once'); // prettier-ignore
      return layer.order.map((axis) => x[axis]!);
    case 'mean':
    case 'sum':
      want(layer.axes.every((axis) => axis >= 0 && axis < x.length), 'axis outside the tensor');
      return x.flatMap((size, i) => (layer.axes.includes(i) ? (layer.keepDims ? [1] : []) : [size])); // prettier-ignore
    case 'slice':
      want(layer.begin.length === x.length && layer.size.length === x.length, 'one number a dimension'); // prettier-ignore
      want(layer.size.every((size, i) => layer.begin[i]! >= 0 && layer.begin[i]! + size <= x[i]!), 'outside the tensor'); // prettier-ignore
      return layer.size;
    default:
      return x;
  }
}

type Weighted = Extract<Layer, { kind: 'conv2d' | 'depthwiseConv2d' | 'dense' | 'prelu' }>;

function shapeOfWeighted(layer: Weighted, x: Shape, want: Want): Shape {
  if (layer.kind === 'prelu') {
    checkWeights(layer.name, layer.alpha);
    want(elements(layer.alpha.shape) === x.at(-1), 'one slope a channel');
    return x;
  }
  const { kernel, bias } = layer;
  checkWeights(layer.name, kernel);
  const channels =
    layer.kind === 'depthwiseConv2d' ? x.at(-1)! * kernel.shape[3]! : kernel.shape.at(-1)!;
  if (bias !== null) {
    checkWeights(layer.name, bias);
    want(elements(bias.shape) === channels, 'one bias a channel');
  }
  if (layer.kind === 'dense') {
    want(
      kernel.shape.length === 2 && kernel.shape[0] === x.at(-1),
      'kernel does not fit the input',
    );
    return [...x.slice(0, -1), channels];
  }
  want(x.length === 4 && kernel.shape.length === 4, 'takes [n, h, w, c]');
  want(kernel.shape[2] === x[3], 'kernel does not fit the input');
  const size = [kernel.shape[0]!, kernel.shape[1]!] as const;
  return window(layer.name, x, size, layer.strides, layer.padding, channels);
}

type Pair = readonly [number, number];

function window(
  name: string,
  x: Shape,
  size: Pair,
  strides: Pair,
  padding: Padding,
  channels: number,
): Shape {
  const along = (i: 0 | 1): number => {
    if (!(strides[i] >= 1 && size[i] >= 1)) throw wrong(name, 'impossible window', [size, strides]);
    const length = x[i + 1]!;
    return padding === 'same'
      ? Math.ceil(length / strides[i])
      : Math.floor((length - size[i]) / strides[i]) + 1;
  };
  return [x[0]!, along(0), along(1), channels];
}

/** Zeros TensorFlow's 'same' adds before and after: the odd one goes after. */
export function samePads(length: number, size: number, stride: number): Pair {
  const total = Math.max(0, (Math.ceil(length / stride) - 1) * stride + size - length);
  return [total >> 1, total - (total >> 1)];
}

function broadcast(name: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [p, q] = [a[a.length - rank + i] ?? 1, b[b.length - rank + i] ?? 1];
    if (p !== q && p !== 1 && q !== 1) throw wrong(name, 'shapes do not broadcast', [a, b]);
    return Math.max(p, q);
  });
}

function concatenated(name: string, axis: number, inputs: readonly Shape[]): Shape {
  const [first] = inputs as readonly [Shape];
  if (!(axis >= 0 && axis < first.length))
    throw wrong(name, 'concat: axis outside the tensor', axis);
  const others = (shape: Shape): string => shape.map((size, i) => (i === axis ? '' : size)).join();
  if (inputs.some((shape) => others(shape) !== others(first)))
    throw wrong(name, 'concat: shapes do not fit', inputs);
  const sum = inputs.reduce((total, shape) => total + shape[axis]!, 0);
  return first.map((size, i) => (i === axis ? sum : size));
}

function checkWeights(name: string, { shape, data }: Weights): void {
  if (elements(shape) !== data.length) throw wrong(name, 'weights do not fill their shape', shape);
}

export const elements = (shape: Shape): number =>
  shape.reduce((product, size) => product * size, 1);

function wrong(layer: string, message: string, value?: unknown): ClmexError {
  return new ClmexError('model-invalid', message, { field: layer, value });
}
