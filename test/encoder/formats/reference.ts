import type { Graph, Layer, Weights } from '../../../encoder/graph.js';

/** A tensor of the plain reference: float64 values, row-major. */
export interface Plain {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Runs a graph layer by layer in double precision, from the layers' definitions alone. */
export function runPlainly(graph: Graph, inputs: Readonly<Record<string, Plain>>): Plain[] {
  const values = new Map(Object.entries(inputs));
  for (const layer of graph.layers)
    values.set(
      layer.name,
      evaluate(layer, layer.inputs.map((name) => values.get(name)!)),
    ); // prettier-ignore
  return graph.outputs.map(({ name }) => values.get(name)!);
}

function evaluate(layer: Layer, inputs: readonly Plain[]): Plain {
  const x = inputs[0]!;
  switch (layer.kind) {
    case 'conv2d':
    case 'depthwiseConv2d':
      return activated(convolve(layer, x), layer.activation);
    case 'dense': {
      const [rows, columns] = layer.kernel.shape as [number, number];
      const out = fill([...x.shape.slice(0, -1), columns], (index) => {
        const column = index.at(-1)!;
        let sum = layer.bias?.data[column] ?? 0;
        for (let r = 0; r < rows; r++)
          sum += at(x, [...index.slice(0, -1), r]) * layer.kernel.data[r * columns + column]!;
        return sum;
      });
      return activated(out, layer.activation);
    }
    case 'maxPool':
      return pool(layer, x);
    case 'globalAveragePool':
      return fill([x.shape[0]!, x.shape[3]!], ([n, c]) => {
        let sum = 0;
        for (let h = 0; h < x.shape[1]!; h++)
          for (let w = 0; w < x.shape[2]!; w++) sum += at(x, [n!, h, w, c!]);
        return sum / (x.shape[1]! * x.shape[2]!);
      });
    case 'pad':
      return fill(
        x.shape.map((size, i) => size + layer.paddings[i]![0] + layer.paddings[i]![1]),
        (index) => at(x, index.map((i, axis) => i - layer.paddings[axis]![0])) ,
      ); // prettier-ignore
    case 'prelu':
      return fill(x.shape, (index) => {
        const value = at(x, index);
        return value >= 0 ? value : value * layer.alpha.data[index.at(-1)!]!;
      });
    case 'add':
    case 'subtract':
    case 'multiply':
    case 'divide':
      return activated(combine(layer.kind, x, inputs[1]!), layer.activation);
    case 'reshape':
      return { shape: [x.shape[0]!, ...layer.shape.slice(1)], data: x.data };
    case 'transpose':
      return fill(layer.order.map((axis) => x.shape[axis]!), (index) => {
        const source: number[] = [];
        layer.order.forEach((axis, i) => (source[axis] = index[i]!));
        return at(x, source);
      }); // prettier-ignore
    case 'mean':
    case 'sum': {
      const reduced = x.shape.map((size, i) => (layer.axes.includes(i) ? 1 : size));
      const count = layer.axes.reduce((product, axis) => product * x.shape[axis]!, 1);
      const sums = fill(reduced, (index) => {
        let sum = 0;
        each(layer.axes.map((axis) => x.shape[axis]!), (inner) => {
          const source = [...index];
          layer.axes.forEach((axis, i) => (source[axis] = inner[i]!));
          sum += at(x, source);
        }); // prettier-ignore
        return layer.kind === 'mean' ? sum / count : sum;
      });
      const shape = layer.keepDims ? reduced : x.shape.filter((_, i) => !layer.axes.includes(i));
      return { shape, data: sums.data };
    }
    case 'slice':
      return fill([x.shape[0]!, ...layer.size.slice(1)], (index) =>
        at(x, index.map((i, axis) => (axis === 0 ? i : i + layer.begin[axis]!)))); // prettier-ignore
    case 'concat': {
      const shape = [...x.shape];
      shape[layer.axis] = inputs.reduce((sum, input) => sum + input.shape[layer.axis]!, 0);
      return fill(shape, (index) => {
        let i = index[layer.axis]!;
        for (const input of inputs) {
          if (i < input.shape[layer.axis]!) return at(input, index.map((v, axis) => (axis === layer.axis ? i : v))); // prettier-ignore
          i -= input.shape[layer.axis]!;
        }
        return NaN;
      });
    }
    case 'depthToSpace': {
      const { blockSize: b } = layer;
      const [n, h, w, c] = x.shape as [number, number, number, number];
      const depth = c / (b * b);
      return fill([n, h * b, w * b, depth], ([i, y, z, k]) =>
        at(x, [i!, Math.floor(y! / b), Math.floor(z! / b), ((y! % b) * b + (z! % b)) * depth + k!]),
      );
    }
    case 'resizeBilinear':
      return resize(layer, x);
    case 'l2Normalize':
      return fill(x.shape, (index) => {
        let square = 0;
        for (let c = 0; c < x.shape.at(-1)!; c++) square += at(x, [...index.slice(0, -1), c]) ** 2;
        return at(x, index) / Math.max(Math.sqrt(square), 1e-12);
      });
    case 'constant':
      return { shape: layer.value.shape, data: Float64Array.from(layer.value.data) };
    default:
      return { shape: x.shape, data: x.data.map(UNARY[layer.kind]) };
  }
}

const UNARY = {
  relu: (v: number) => Math.max(0, v),
  relu6: (v: number) => Math.min(6, Math.max(0, v)),
  sigmoid: (v: number) => 1 / (1 + Math.exp(-v)),
  square: (v: number) => v * v,
  sqrt: Math.sqrt,
  rsqrt: (v: number) => 1 / Math.sqrt(v),
  negate: (v: number) => -v,
};

const activated = ({ shape, data }: Plain, activation: 'none' | 'relu' | 'relu6'): Plain =>
  activation === 'none' ? { shape, data } : { shape, data: data.map(UNARY[activation]) };

type Convolution = Extract<Layer, { kind: 'conv2d' | 'depthwiseConv2d' }>;
type Windowed = Convolution | Extract<Layer, { kind: 'maxPool' }>;

/** Output size and zeros before, along one axis, as TensorFlow defines 'same' and 'valid'. */
function along(layer: Windowed, x: Plain, size: number, axis: 0 | 1): [number, number] {
  const [length, stride] = [x.shape[axis + 1]!, layer.strides[axis]];
  if (layer.padding === 'valid') return [Math.floor((length - size) / stride) + 1, 0];
  const out = Math.ceil(length / stride);
  return [out, Math.floor(Math.max(0, (out - 1) * stride + size - length) / 2)];
}

function convolve(layer: Convolution, x: Plain): Plain {
  const [kh, kw, channels, last] = layer.kernel.shape as [number, number, number, number];
  const [height, top] = along(layer, x, kh, 0);
  const [width, left] = along(layer, x, kw, 1);
  const depthwise = layer.kind === 'depthwiseConv2d';
  const outputs = depthwise ? channels * last : last;
  return fill([x.shape[0]!, height, width, outputs], ([n, h, w, o]) => {
    let sum = layer.bias?.data[o!] ?? 0;
    for (let i = 0; i < kh; i++) {
      for (let j = 0; j < kw; j++) {
        for (let c = 0; c < channels; c++) {
          if (depthwise && c !== Math.floor(o! / last)) continue;
          const weight = weightAt(layer.kernel, [i, j, c, depthwise ? o! % last : o!]);
          sum += weight * at(x, [n!, h! * layer.strides[0] + i - top, w! * layer.strides[1] + j - left, c]); // prettier-ignore
        }
      }
    }
    return sum;
  });
}

function pool(layer: Extract<Layer, { kind: 'maxPool' }>, x: Plain): Plain {
  const [height, top] = along(layer, x, layer.size[0], 0);
  const [width, left] = along(layer, x, layer.size[1], 1);
  return fill([x.shape[0]!, height, width, x.shape[3]!], ([n, h, w, c]) => {
    let most = -Infinity;
    each(layer.size, ([i, j]) => {
      const [y, z] = [h! * layer.strides[0] + i! - top, w! * layer.strides[1] + j! - left];
      if (y >= 0 && z >= 0 && y < x.shape[1]! && z < x.shape[2]!) most = Math.max(most, at(x, [n!, y, z, c!])); // prettier-ignore
    });
    return most;
  });
}

function resize(layer: Extract<Layer, { kind: 'resizeBilinear' }>, x: Plain): Plain {
  const source = (i: number, from: number, to: number): number => {
    if (layer.alignCorners) return to > 1 ? (i * (from - 1)) / (to - 1) : 0;
    const scale = from / to;
    return Math.max(0, layer.halfPixelCenters ? (i + 0.5) * scale - 0.5 : i * scale);
  };
  const [n, height, width, c] = x.shape as [number, number, number, number];
  return fill([n, ...layer.size, c], ([i, h, w, k]) => {
    const [y, z] = [source(h!, height, layer.size[0]), source(w!, width, layer.size[1])];
    const [y0, z0] = [Math.min(Math.floor(y), height - 1), Math.min(Math.floor(z), width - 1)];
    const [y1, z1] = [Math.min(y0 + 1, height - 1), Math.min(z0 + 1, width - 1)];
    const [fy, fz] = [y - y0, z - z0];
    const row = (r: number): number => at(x, [i!, r, z0, k!]) * (1 - fz) + at(x, [i!, r, z1, k!]) * fz; // prettier-ignore
    return row(y0) * (1 - fy) + row(y1) * fy;
  });
}

function combine(kind: 'add' | 'subtract' | 'multiply' | 'divide', a: Plain, b: Plain): Plain {
  const rank = Math.max(a.shape.length, b.shape.length);
  const aligned = ({ shape, data }: Plain): Plain => ({ data, shape: [...Array<number>(rank - shape.length).fill(1), ...shape] }); // prettier-ignore
  const [p, q] = [aligned(a), aligned(b)];
  const shape = p.shape.map((size, i) => Math.max(size, q.shape[i]!));
  const value = (t: Plain, index: readonly number[]): number =>
    at(t, index.map((i, axis) => (t.shape[axis] === 1 ? 0 : i))); // prettier-ignore
  return fill(shape, (index) => {
    const [v, w] = [value(p, index), value(q, index)];
    return { add: v + w, subtract: v - w, multiply: v * w, divide: v / w }[kind];
  });
}

function each(shape: readonly number[], visit: (index: readonly number[]) => void): void {
  const index = shape.map(() => 0);
  const total = shape.reduce((product, size) => product * size, 1);
  for (let k = 0; k < total; k++) {
    visit(index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
}

function fill(shape: readonly number[], value: (index: readonly number[]) => number): Plain {
  const data = new Float64Array(shape.reduce((product, size) => product * size, 1));
  let at = 0;
  each(shape, (index) => (data[at++] = value(index)));
  return { shape, data };
}

/** Zero outside the tensor. */
function at({ shape, data }: Plain, index: readonly number[]): number {
  let offset = 0;
  for (let axis = 0; axis < shape.length; axis++) {
    if (index[axis]! < 0 || index[axis]! >= shape[axis]!) return 0;
    offset = offset * shape[axis]! + index[axis]!;
  }
  return data[offset]!;
}

const weightAt = ({ shape, data }: Weights, index: readonly number[]): number =>
  data[index.reduce((offset, i, axis) => offset * shape[axis]! + i, 0)]!;
