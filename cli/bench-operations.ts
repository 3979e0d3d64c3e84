import { elements, inferShapes } from '../encoder/formats/shapes.js';
import type { Graph } from '../encoder/graph.js';
import { isWeighted, paramsOf, type QuantizedGraph } from '../encoder/quantise/scheme.js';
import { quantizeWeights } from '../encoder/quantise/weights.js';

/** Multiplications and additions of a graph's kernels for one item. */
export function operationsOf(graph: Graph): number {
  const shapes = inferShapes(graph);
  return graph.layers.reduce((sum, layer) => {
    if (!isWeighted(layer)) return sum;
    const [, ...made] = shapes.get(layer.name)!;
    const taps = layer.kernel.data.length / (layer.kind === 'depthwiseConv2d' ? made.at(-1)! : 1);
    const places = layer.kind === 'depthwiseConv2d' ? elements(made) : elements(made) / made.at(-1)!; // prettier-ignore
    return sum + 2 * places * taps;
  }, 0);
}

const ROWS = 256;
const WIDTH = 1024;
export const PEAK_OPERATIONS = 2 * ROWS * WIDTH * WIDTH;

/** A plain int8 matrix product, large enough that nothing but multiplying takes time. */
export function peakGraph(): QuantizedGraph {
  const data = Float32Array.from({ length: WIDTH * WIDTH }, (_, i) => ((i * 7919) % 251) / 125 - 1);
  const layer = {
    kind: 'dense',
    name: 'product',
    inputs: ['rows'],
    kernel: { shape: [WIDTH, WIDTH], data },
    bias: null,
    activation: 'none',
  } as const;
  const params = paramsOf(-1, 1);
  return {
    graph: {
      name: 'product',
      inputs: [{ name: 'rows', shape: [ROWS, WIDTH] }],
      outputs: [{ name: 'product', shape: [ROWS, WIDTH] }],
      layers: [layer],
    },
    tensors: new Map([
      ['rows', params],
      ['product', paramsOf(-100, 100)],
    ]),
    weights: new Map([['product', quantizeWeights(layer, params.scale)]]),
  };
}
