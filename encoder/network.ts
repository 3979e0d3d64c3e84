import type { Activation, Conv2d, Dense, Graph, Layer, Weights } from './graph.js';
import { Random } from './random.js';

/** A residual convolution network over aligned grey crops. */
export interface NetworkSpec {
  readonly name: string;
  /** Side of the crop; each stage halves it, `widths.length` times. */
  readonly size: number;
  /** Channels after each stage. */
  readonly widths: readonly number[];
  /** Residual blocks of each stage, after its strided convolution. */
  readonly blocks: readonly number[];
  /** Channels a place keeps before places are flattened: an aligned face has fixed places. */
  readonly squeeze: number;
  /** Length of the embedding. */
  readonly embedding: number;
}

export type NetworkName = 'small' | 'base';

/**
 * Small: 0.54 M parameters, 26 MFLOP a crop. Base: 2.5 M parameters. Base has all that small has and as
 * long an embedding, so that it can grow out of trained small weights.
 */
export const NETWORKS: Readonly<Record<NetworkName, NetworkSpec>> = {
  small: { name: 'small', size: 64, widths: [16, 32, 64, 128], blocks: [0, 0, 1, 1], squeeze: 32, embedding: 128 },
  base: { name: 'base', size: 64, widths: [32, 64, 128, 192], blocks: [0, 2, 2, 2], squeeze: 48, embedding: 128 },
}; // prettier-ignore

const CROP_INPUT = 'crop';
const EMBEDDING_OUTPUT = 'embedding';

/**
 * The encoder as a graph with freshly drawn weights (He et al. 2015, eq. 10). Only convolution with
 * ReLU, residual adds and one dense layer, so that it quantises and fuses.
 *
 * Input `crop` [n, size, size, 1]; output `embedding` [n, embedding], unit vectors.
 */
export function buildNetwork(spec: NetworkSpec, seed: number): Graph {
  const random = new Random(seed);
  const layers: Layer[] = [];
  let [tensor, channels, side] = [CROP_INPUT, 1, spec.size];
  const conv = (
    name: string,
    kernel: number,
    out: number,
    stride: number,
    activation: Activation,
  ) => {
    layers.push(
      convolution(random, { name, input: tensor, kernel, channels, out, stride, activation }),
    );
    [tensor, channels] = [name, out];
  };
  for (const [stage, width] of spec.widths.entries()) {
    conv(`stage${stage}`, 3, width, 2, 'relu');
    side = Math.ceil(side / 2);
    for (let block = 0; block < spec.blocks[stage]!; block++) {
      const [name, shortcut] = [`stage${stage}_block${block}`, tensor];
      conv(`${name}_a`, 3, width, 1, 'relu');
      conv(`${name}_b`, 3, width, 1, 'none');
      layers.push({ kind: 'add', name, inputs: [tensor, shortcut], activation: 'relu' });
      tensor = name;
    }
  }
  conv('squeeze', 1, spec.squeeze, 1, 'relu');
  const flat = side * side * spec.squeeze;
  layers.push(
    { kind: 'reshape', name: 'flat', inputs: [tensor], shape: [1, flat] },
    dense(random, 'project', 'flat', flat, spec.embedding),
    { kind: 'l2Normalize', name: EMBEDDING_OUTPUT, inputs: ['project'] },
  );
  return {
    name: `clmex-${spec.name}`,
    inputs: [{ name: CROP_INPUT, shape: [1, spec.size, spec.size, 1] }],
    outputs: [{ name: EMBEDDING_OUTPUT, shape: [1, spec.embedding] }],
    layers,
  };
}

interface ConvolutionSpec {
  readonly name: string;
  readonly input: string;
  readonly kernel: number;
  readonly channels: number;
  readonly out: number;
  readonly stride: number;
  readonly activation: Activation;
}

function convolution(random: Random, spec: ConvolutionSpec): Conv2d {
  const { name, input, kernel, channels, out, stride, activation } = spec;
  const fanIn = kernel * kernel * channels;
  return {
    kind: 'conv2d',
    name,
    inputs: [input],
    kernel: drawn(random, [kernel, kernel, channels, out], Math.sqrt(2 / fanIn)),
    bias: zeros([out]),
    strides: [stride, stride],
    padding: 'same',
    activation,
  };
}

function dense(random: Random, name: string, input: string, from: number, to: number): Dense {
  return {
    kind: 'dense',
    name,
    inputs: [input],
    kernel: drawn(random, [from, to], Math.sqrt(1 / from)),
    bias: zeros([to]),
    activation: 'none',
  };
}

export function drawn(random: Random, shape: readonly number[], deviation: number): Weights {
  const weights = zeros(shape);
  for (let i = 0; i < weights.data.length; i++) weights.data[i] = deviation * random.normal();
  return weights;
}

export function zeros(shape: readonly number[]): Weights {
  return { shape, data: new Float32Array(shape.reduce((product, size) => product * size, 1)) };
}

/** Every weight tensor of a graph, in layer order. */
function weightsOf(graph: Graph): Weights[] {
  return graph.layers.flatMap((layer) => {
    const found: Weights[] = [];
    if ('kernel' in layer) found.push(layer.kernel);
    if ('bias' in layer && layer.bias !== null) found.push(layer.bias);
    if ('alpha' in layer) found.push(layer.alpha);
    return found;
  });
}

export function countParameters(graph: Graph): number {
  return weightsOf(graph).reduce((sum, { data }) => sum + data.length, 0);
}
