import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeOnnx, type OnnxOptions } from '../../../encoder/formats/onnx.js';
import { inferShapes } from '../../../encoder/formats/shapes.js';
import type { Graph, Layer, Weights } from '../../../encoder/graph.js';
import { createOnnxRuntime } from '../../../runtime/engine/onnxruntime.js';
import { runPlainly } from './reference.js';

const engine = createOnnxRuntime(1);

/** Small repeatable values around zero. */
function values(count: number, seed: number): Float32Array {
  let state = seed * 2654435761 + 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
const weights = (shape: readonly number[], seed: number): Weights => ({
  shape,
  data: values(
    shape.reduce((a, b) => a * b, 1),
    seed,
  ),
});

/** A graph of these layers after an input `x`; the last layer is the output. */
function graphOf(shape: readonly number[], layers: readonly Layer[]): Graph {
  const name = layers.at(-1)!.name;
  const draft = { name: 'test', inputs: [{ name: 'x', shape }], outputs: [], layers };
  return { ...draft, outputs: [{ name, shape: inferShapes(draft).get(name)! }] };
}

/** Largest difference between the engine and the plain reference, over a batch. */
async function difference(graph: Graph, batch: number, options: OnnxOptions = {}) {
  const { inputs = 'nhwc' } = options;
  const [, ...rest] = graph.inputs[0]!.shape;
  const shape = [batch, ...rest];
  const data = values(shape.reduce((a, b) => a * b, 1), 99); // prettier-ignore
  const [expected] = runPlainly(graph, { x: { shape, data: Float64Array.from(data) } });
  const session = await engine.load(writeOnnx(graph, options), 'test');
  const feed = inputs === 'nhwc' ? { data, shape } : channelsFirst(data, shape);
  const output = (await session.run({ x: feed }))[graph.outputs[0]!.name]!;
  await session.close();
  expect(output.shape).toEqual(expected!.shape);
  return output.data.reduce((most, v, i) => Math.max(most, Math.abs(v - expected!.data[i]!)), 0);
}

function channelsFirst(data: Float32Array, [n, h, w, c]: readonly number[]) {
  const out = new Float32Array(data.length);
  data.forEach((value, i) => {
    const [channel, pixel, item] = [i % c!, Math.floor(i / c!) % (h! * w!), Math.floor(i / (c! * h! * w!))]; // prettier-ignore
    out[(item * c! + channel) * h! * w! + pixel] = value;
  });
  return { data: out, shape: [n!, c!, h!, w!] };
}

const size = fc.integer({ min: 1, max: 4 });
const pair = fc.tuple(size, size);
const padding = fc.constantFrom('same' as const, 'valid' as const);
const activation = fc.constantFrom('none' as const, 'relu' as const, 'relu6' as const);
const IMAGE = [1, 7, 6, 4];

describe('a graph written as ONNX computes what the graph defines', () => {
  it('for convolutions of every size, stride, padding and activation, over a batch', async () => {
    const layer = fc.record({ size: pair, strides: pair, padding, activation, depthwise: fc.boolean(), bias: fc.boolean(), out: size }); // prettier-ignore
    await fc.assert(
      fc.asyncProperty(layer, fc.integer({ min: 1, max: 3 }), async (options, batch) => {
        const { depthwise, bias, out, size, ...common } = options;
        const outputs = depthwise ? 4 * out : out;
        const conv: Layer = {
          kind: depthwise ? 'depthwiseConv2d' : 'conv2d',
          name: 'y',
          inputs: ['x'],
          kernel: weights([...size, 4, out], 1),
          bias: bias ? weights([outputs], 2) : null,
          ...common,
        };
        expect(await difference(graphOf(IMAGE, [conv]), batch)).toBeLessThan(1e-4);
      }),
      { numRuns: 40 },
    );
  });

  const y = { name: 'y', inputs: ['x'] } as const;
  const cases: Record<string, [readonly number[], Layer]> = {
    'max pooling': [IMAGE, { kind: 'maxPool', ...y, size: [2, 3], strides: [2, 2], padding: 'same' }],
    'the global mean': [IMAGE, { kind: 'globalAveragePool', ...y }],
    'padding of every dimension': [IMAGE, { kind: 'pad', ...y, paddings: [[0, 0], [1, 2], [0, 1], [0, 3]] }],
    'slopes a channel': [IMAGE, { kind: 'prelu', ...y, alpha: weights([4], 3) }],
    'a dense layer': [[1, 5], { kind: 'dense', ...y, kernel: weights([5, 3], 4), bias: weights([3], 5), activation: 'relu' }],
    'a dense layer over more dimensions': [[1, 2, 5], { kind: 'dense', ...y, kernel: weights([5, 3], 4), bias: weights([3], 5), activation: 'none' }],
    'a dense layer without bias': [[1, 2, 5], { kind: 'dense', ...y, kernel: weights([5, 3], 4), bias: null, activation: 'relu6' }],
    'a new shape': [IMAGE, { kind: 'reshape', ...y, shape: [1, 14, 12] }],
    'exchanged dimensions': [IMAGE, { kind: 'transpose', ...y, order: [0, 3, 1, 2] }],
    'means over some dimensions': [IMAGE, { kind: 'mean', ...y, axes: [1, 3], keepDims: true }],
    'sums without the summed dimensions': [IMAGE, { kind: 'sum', ...y, axes: [2], keepDims: false }],
    'a part': [IMAGE, { kind: 'slice', ...y, begin: [0, 1, 2, 0], size: [1, 3, 2, 4] }],
    'depth to space': [IMAGE, { kind: 'depthToSpace', ...y, blockSize: 2 }],
    'bilinear growth about pixel centres': [IMAGE, { kind: 'resizeBilinear', ...y, size: [14, 12], halfPixelCenters: true, alignCorners: false }],
    'bilinear growth from the corner': [IMAGE, { kind: 'resizeBilinear', ...y, size: [14, 12], halfPixelCenters: false, alignCorners: false }],
    'bilinear growth between corners': [IMAGE, { kind: 'resizeBilinear', ...y, size: [13, 11], halfPixelCenters: false, alignCorners: true }],
    'unit length': [[1, 5], { kind: 'l2Normalize', ...y }],
    'a square': [IMAGE, { kind: 'square', ...y }],
    'a sign': [IMAGE, { kind: 'negate', ...y }],
    'a logistic': [IMAGE, { kind: 'sigmoid', ...y }],
    'a clipped rectifier': [IMAGE, { kind: 'relu6', ...y }],
  }; // prettier-ignore
  for (const [name, [shape, layer]] of Object.entries(cases)) {
    it(`for ${name}`, async () => {
      expect(await difference(graphOf(shape, [layer]), 2)).toBeLessThan(1e-5);
    });
  }

  it('for slopes a channel, written in channel blocks', async () => {
    const prelu: Layer = { kind: 'prelu', ...y, alpha: weights([4], 3) };
    expect(await difference(graphOf(IMAGE, [prelu]), 2, { channelBlock: 8 })).toBeLessThan(1e-5);
  });

  it('for channels filled up to whole blocks, and sums with padded channels', async () => {
    const channels = fc.integer({ min: 1, max: 20 });
    const kinds = fc.record({ first: channels, more: fc.integer({ min: 0, max: 12 }), block: fc.constantFrom(8 as const, 16 as const), relu: fc.boolean(), ends: fc.boolean() }); // prettier-ignore
    await fc.assert(
      fc.asyncProperty(kinds, async ({ first, more, block, relu, ends }) => {
        const conv = (name: string, from: string, [k, cin, out]: readonly [number, number, number], seed: number): Layer => ({
          kind: 'conv2d', name, inputs: [from], kernel: weights([k, k, cin, out], seed), bias: weights([out], seed + 1),
          strides: [1, 1], padding: 'same', activation: 'none',
        }); // prettier-ignore
        const last = ends ? [] : [conv('end', 'y', [1, first + more, 5], 9)];
        const layers: Layer[] = [
          conv('a', 'x', [3, 3, first], 1),
          { kind: 'prelu', name: 'slope', inputs: ['a'], alpha: weights([first], 3) },
          { kind: 'depthwiseConv2d', name: 'each', inputs: ['slope'], kernel: weights([3, 3, first, 1], 4), bias: null, strides: [2, 2], padding: 'same', activation: 'none' },
          { kind: 'maxPool', name: 'pool', inputs: ['slope'], size: [2, 2], strides: [2, 2], padding: 'same' },
          conv('b', 'each', [1, first, first + more], 6),
          { kind: 'pad', name: 'padded', inputs: ['pool'], paddings: [[0, 0], [0, 0], [0, 0], [0, more]] },
          { kind: 'add', name: relu ? 'sum' : 'y', inputs: ['padded', 'b'], activation: 'none' },
          ...(relu ? [{ kind: 'relu', name: 'y', inputs: ['sum'] } as const] : []),
          ...last,
        ]; // prettier-ignore
        const graph = graphOf([1, 7, 6, 3], layers);
        expect(await difference(graph, 2, { channelBlock: block })).toBeLessThan(1e-4);
      }),
      { numRuns: 40 },
    );
  });

  it('for the zero vector, which has no direction', async () => {
    const zero: Layer[] = [
      { kind: 'subtract', name: 'zero', inputs: ['x', 'x'], activation: 'none' },
      { kind: 'l2Normalize', name: 'y', inputs: ['zero'] },
    ];
    expect(await difference(graphOf([1, 5], zero), 1)).toBe(0);
  });

  it('for operands of different shapes and orders, constants among them', async () => {
    const layers: Layer[] = [
      { kind: 'conv2d', name: 'first', inputs: ['x'], kernel: weights([3, 3, 4, 4], 1), bias: null, strides: [1, 1], padding: 'same', activation: 'relu' },
      { kind: 'constant', name: 'gain', inputs: [], value: weights([4], 6) },
      { kind: 'constant', name: 'plane', inputs: [], value: weights([1, 7, 6, 4], 7) },
      { kind: 'multiply', name: 'scaled', inputs: ['first', 'gain'], activation: 'none' },
      { kind: 'add', name: 'sum', inputs: ['scaled', 'plane'], activation: 'relu' },
      { kind: 'concat', name: 'both', inputs: ['first', 'sum', 'x'], axis: 3 },
      { kind: 'conv2d', name: 'second', inputs: ['both'], kernel: weights([1, 1, 12, 5], 8), bias: weights([5], 9), strides: [1, 1], padding: 'valid', activation: 'none' },
      { kind: 'globalAveragePool', name: 'mean', inputs: ['second'] },
      { kind: 'l2Normalize', name: 'y', inputs: ['mean'] },
    ]; // prettier-ignore
    const graph = graphOf(IMAGE, layers);
    expect(await difference(graph, 3)).toBeLessThan(1e-5);
    expect(await difference(graph, 2, { inputs: 'nchw' })).toBeLessThan(1e-5);
  });
});

describe('a graph that does not fit together', () => {
  const conv: Layer = { kind: 'conv2d', name: 'y', inputs: ['x'], kernel: weights([3, 3, 5, 2], 1), bias: null, strides: [1, 1], padding: 'same', activation: 'none' }; // prettier-ignore
  it('is refused by the name of the layer that does not', () => {
    expect(() => graphOf(IMAGE, [conv])).toThrow(/y: conv2d: kernel does not fit the input/);
  });
  it('is refused where a layer reads what nobody made', () => {
    const lost: Layer = { kind: 'relu', name: 'y', inputs: ['nowhere'] };
    expect(() => graphOf(IMAGE, [lost])).toThrow(/y: reads a tensor nobody made before/);
  });
});
