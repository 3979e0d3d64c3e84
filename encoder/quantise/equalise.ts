import type { Graph, Layer, Weights } from '../graph.js';
import type { Observed } from './observe.js';
import { isWeighted, outputChannels, type WeightedLayer } from './scheme.js';

/** Two layers between which nothing else looks at the activations. */
interface Pair {
  readonly first: WeightedLayer;
  readonly second: WeightedLayer;
}

/** A factor beyond this only moves the trouble. */
const MOST_FACTOR = 16;

/**
 * Cross-layer equalisation (after Nagel et al. 2019, with activations instead of the first kernel:
 * kernels have a scale a channel here, activations have one for all): channel c of a layer is divided
 * by √(peak of its activations / peak of the weights that read it) and multiplied again by its only
 * reader. The network computes the same.
 */
export function equalise(graph: Graph, observed: ReadonlyMap<string, Observed>): Graph {
  const layers = new Map(graph.layers.map((layer) => [layer.name, layer]));
  for (const { first, second } of pairsOf(graph)) {
    const own = layers.get(first.name) as WeightedLayer;
    const reader = layers.get(second.name) as WeightedLayer;
    const factors = factorsOf(observed.get(first.name)!.peaks, reader);
    layers.set(first.name, divided(own, factors));
    layers.set(second.name, { ...reader, kernel: multiplied(reader, factors) });
  }
  return { ...graph, layers: graph.layers.map(({ name }) => layers.get(name)!) };
}

function pairsOf(graph: Graph): Pair[] {
  const readers = (name: string): Layer[] =>
    graph.layers.filter(({ inputs }) => inputs.includes(name));
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return graph.layers.flatMap((first): Pair[] => {
    if (!isWeighted(first) || first.activation === 'relu6') return [];
    const only = (name: string): Layer | undefined => {
      const found = readers(name);
      if (found.length !== 1 || outputs.has(name)) return undefined;
      return found[0]!.kind === 'reshape' ? only(found[0].name) : found[0];
    };
    const reader = only(first.name);
    return reader !== undefined && isWeighted(reader) ? [{ first, second: reader }] : [];
  });
}

/** Which channel of the layer before an element of this kernel multiplies. */
function inputChannel(layer: WeightedLayer, channels: number): (element: number) => number {
  const outputs = outputChannels(layer);
  if (layer.kind === 'depthwiseConv2d') {
    const multiplier = layer.kernel.shape[3]!;
    return (element) => Math.floor((element % outputs) / multiplier) % channels;
  }
  return (element) => Math.floor(element / outputs) % channels;
}

function factorsOf(peaks: Float64Array, reader: WeightedLayer): Float64Array {
  const weights = new Float64Array(peaks.length);
  const channelOf = inputChannel(reader, peaks.length);
  reader.kernel.data.forEach((value, i) => {
    const channel = channelOf(i);
    weights[channel] = Math.max(weights[channel]!, Math.abs(value));
  });
  const raw = peaks.map((peak, c) => (peak > 0 && weights[c]! > 0 ? Math.sqrt(peak / weights[c]!) : 0)); // prettier-ignore
  const used = raw.filter((factor) => factor > 0);
  // Around 1, so that the layer's scale as a whole stays where it was.
  const middle = Math.exp(used.reduce((sum, f) => sum + Math.log(f), 0) / Math.max(1, used.length));
  return raw.map((factor) =>
    factor === 0 ? 1 : Math.min(MOST_FACTOR, Math.max(1 / MOST_FACTOR, factor / middle)),
  );
}

function divided<T extends WeightedLayer>(layer: T, factors: Float64Array): T {
  const by = ({ shape, data }: Weights): Weights => ({
    shape,
    data: data.map((value, i) => value / factors[i % factors.length]!),
  });
  return { ...layer, kernel: by(layer.kernel), bias: layer.bias && by(layer.bias) };
}

function multiplied(reader: WeightedLayer, factors: Float64Array): Weights {
  const channelOf = inputChannel(reader, factors.length);
  const { shape, data } = reader.kernel;
  return { shape, data: data.map((value, i) => value * factors[channelOf(i)]!) };
}
