import type { Conv2d, Elementwise, Graph, Layer, Pad, Weights } from '../graph.js';
import { inferShapes, type Shape } from './shapes.js';

/** Kinds that treat every channel alike: what is zero in a channel stays in that channel. */
const SAME_CHANNELS = ['depthwiseConv2d', 'relu', 'relu6', 'prelu', 'maxPool', 'resizeBilinear', 'add']; // prettier-ignore
const WIDENED = [...SAME_CHANNELS, 'conv2d', 'pad'];

/**
 * The same function on whole blocks of channels. ONNX Runtime's CPU holds a convolution's tensors in
 * blocks of 8 or 16 channels and copies them whenever a layer cannot be blocked; channels of zeros
 * cost less than the copies. Padding of channels before an addition goes away for the same reason:
 * what is added to zeros need not be added.
 */
export function inChannelBlocks(graph: Graph, block: number): Graph {
  return withoutPaddedSums(widened(graph, block), block);
}

function widened(graph: Graph, block: number): Graph {
  const shapes = inferShapes(graph);
  const wide = tensorsToWiden(graph, shapes, block);
  const channels = (name: string): number => {
    const count = shapes.get(name)!.at(-1)!;
    return wide.has(name) ? Math.ceil(count / block) * block : count;
  };
  const renamed = new Map<string, string>();
  const isOutput = (name: string): boolean => graph.outputs.some((output) => output.name === name);
  const layers = graph.layers.flatMap((layer): Layer[] => {
    const inputs = layer.inputs.map((name) => renamed.get(name) ?? name);
    const made = { ...widenLayer(layer, channels), inputs };
    if (made.kind !== 'pad' || isOutput(layer.name) || made.paddings.flat().some((size) => size > 0)) return [made]; // prettier-ignore
    renamed.set(layer.name, inputs[0]!);
    return [];
  });
  return { ...graph, layers };
}

/** Tensors of a number of channels that is no multiple, whose neighbours can all be widened. */
function tensorsToWiden(
  graph: Graph,
  shapes: ReadonlyMap<string, Shape>,
  block: number,
): ReadonlySet<string> {
  const whole = (name: string): boolean => shapes.get(name)!.at(-1)! % block === 0;
  const fits = (layer: Layer): boolean =>
    WIDENED.includes(layer.kind) &&
    (layer.kind !== 'depthwiseConv2d' || layer.kernel.shape[3] === 1) &&
    (layer.kind !== 'pad' || isChannelPad(layer)) &&
    (layer.kind !== 'add' || layer.inputs.every((name) => shapes.get(name)!.join() === shapes.get(layer.name)!.join())); // prettier-ignore
  const wide = new Set(
    graph.layers.filter((layer) => fits(layer) && shapes.get(layer.name)!.length === 4 && !whole(layer.name)).map(({ name }) => name),
  ); // prettier-ignore
  for (const { name } of graph.outputs) wide.delete(name);
  for (let before = -1; before !== wide.size;) {
    before = wide.size;
    for (const layer of graph.layers) {
      const together = [layer.name, ...layer.inputs];
      const narrow = SAME_CHANNELS.includes(layer.kind)
        ? together.some((name) => !wide.has(name))
        : layer.kind === 'pad' && !wide.has(layer.name) && !whole(layer.name);
      if (!fits(layer)) layer.inputs.forEach((name) => wide.delete(name));
      else if (narrow) together.forEach((name) => wide.delete(name));
    }
  }
  return wide;
}

function isChannelPad({ paddings }: Pad): boolean {
  return paddings.length === 4 && paddings.every(([before, after], i) => before === 0 && (i === 3 || after === 0)); // prettier-ignore
}

function widenLayer(layer: Layer, channels: (name: string) => number): Layer {
  const [made, read] = [channels(layer.name), channels(layer.inputs[0] ?? layer.name)];
  switch (layer.kind) {
    case 'conv2d': {
      const [height, width] = layer.kernel.shape as [number, number];
      const kernel = widen(layer.kernel, [height, width, read, made]);
      return { ...layer, kernel, bias: layer.bias && widen(layer.bias, [made]) };
    }
    case 'depthwiseConv2d': {
      const [height, width, , multiplier] = layer.kernel.shape as [number, number, number, number];
      const kernel = widen(layer.kernel, [height, width, read, multiplier]);
      return { ...layer, kernel, bias: layer.bias && widen(layer.bias, [read * multiplier]) };
    }
    case 'prelu':
      return { ...layer, alpha: widen(layer.alpha, [made]) };
    case 'pad':
      return isChannelPad(layer) ? { ...layer, paddings: [...layer.paddings.slice(0, 3), [0, made - read]] } : layer; // prettier-ignore
    default:
      return layer;
  }
}

/** Weights in a larger box, zeros behind them along every dimension. */
function widen(weights: Weights, shape: readonly number[]): Weights {
  if (weights.shape.join() === shape.join()) return weights;
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  const steps = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1)); // prettier-ignore
  weights.data.forEach((value, i) => {
    let [rest, at] = [i, 0];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (rest % weights.shape[axis]!) * steps[axis]!;
      rest = Math.floor(rest / weights.shape[axis]!);
    }
    data[at] = value;
  });
  return { shape, data };
}

/**
 * relu(pad(x) + conv(z)), block by block: the first channels are relu(x + conv(z)), the others
 * relu(conv(z)). Engines fuse sum and activation into the convolutions.
 */
function withoutPaddedSums(graph: Graph, block: number): Graph {
  const layers = new Map(graph.layers.map((layer) => [layer.name, layer]));
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const readers = (name: string): Layer[] => outputs.has(name) ? [] : graph.layers.filter(({ inputs }) => inputs.includes(name)); // prettier-ignore
  const replaced = new Map<string, Layer[]>();
  for (const pad of graph.layers) {
    if (pad.kind !== 'pad' || !isChannelPad(pad) || pad.paddings[3]![1] % block !== 0) continue;
    const [sum, ...others] = readers(pad.name);
    if (sum?.kind !== 'add' || others.length > 0) continue;
    const conv = layers.get(sum.inputs.find((name) => name !== pad.name) ?? '');
    if (conv?.kind !== 'conv2d' || conv.activation !== 'none' || readers(conv.name).length !== 1) continue; // prettier-ignore
    if ((conv.kernel.shape[3]! - pad.paddings[3]![1]) % block !== 0) continue;
    const [relu, ...more] = readers(sum.name);
    const fused = relu?.kind === 'relu' && more.length === 0 && sum.activation === 'none' ? relu : undefined; // prettier-ignore
    const made = split(pad, conv, fused === undefined ? sum : { ...sum, activation: 'relu' });
    replaced.set(pad.name, []);
    replaced.set(conv.name, made.convolutions);
    replaced.set(sum.name, fused === undefined ? [...made.sums, made.whole] : made.sums);
    if (fused !== undefined) replaced.set(fused.name, [{ ...made.whole, name: fused.name }]);
  }
  return { ...graph, layers: graph.layers.flatMap((layer) => replaced.get(layer.name) ?? [layer]) };
}

function split({ inputs: [x = ''], paddings }: Pad, conv: Conv2d, sum: Elementwise) {
  const outputs = conv.kernel.shape[3]!;
  const kept = outputs - paddings[3]![1];
  const part = (name: string, from: number, to: number): Conv2d => ({
    ...conv,
    name,
    kernel: columns(conv.kernel, from, to),
    bias: conv.bias && columns(conv.bias, from, to),
  });
  const [low, high] = [`${conv.name}/low`, `${conv.name}/high`];
  const convolutions: Layer[] = [part(low, 0, kept), { ...part(high, kept, outputs), activation: sum.activation }]; // prettier-ignore
  const sums: Layer[] = [{ ...sum, name: `${sum.name}/low`, inputs: [x, low] }];
  const whole: Layer = { kind: 'concat', name: sum.name, inputs: [`${sum.name}/low`, high], axis: 3 }; // prettier-ignore
  return { convolutions, sums, whole };
}

/** Some of the last dimension. */
function columns({ shape, data }: Weights, from: number, to: number): Weights {
  const all = shape.at(-1)!;
  const kept = data.filter((_, i) => i % all >= from && i % all < to);
  return { shape: [...shape.slice(0, -1), to - from], data: kept };
}
