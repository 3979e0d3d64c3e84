import { ClmexError } from '../../core/errors.js';
import type { Conv2d, Dense, Graph, Layer } from '../graph.js';
import { BATCH_NORM_EPSILON } from './batch-norm.js';
import type { OnnxAttribute, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from './onnx-proto.js';
import { inferShapes, samePads, type Shape } from './shapes.js';
import type { Trainable } from './tfjs.js';

/** A training step of the encoder as two networks, between which stands the loss. */
export interface TrainingModels {
  /**
   * Reads `images` [n, 1, h, w] and every parameter by its slot's name; makes the graph's output, the
   * batch's mean and variance by the names of their slots, and what {@link TrainingModels.backward} reads.
   */
  readonly forward: OnnxModel;
  /**
   * Reads `images`, parameters, what the forward network kept and `gradient`, the loss's by the
   * graph's output; makes the loss's gradient by each parameter, named by {@link gradientOf}.
   */
  readonly backward: OnnxModel;
  /** Outputs of the one that are inputs of the other. */
  readonly kept: readonly string[];
}

/**
 * The same, but that nothing is handed over: the backward network runs the forward pass again (gradient
 * checkpointing, Chen et al. 2016) and makes the batch's statistics too. On another device that costs
 * less than to fetch what the forward pass made and to bring it back.
 */
export function recomputing({ forward, backward, kept }: TrainingModels): TrainingModels {
  const [embedding, ...rest] = forward.outputs;
  const shared = new Set(forward.initializers.map(({ name }) => name));
  const handed = new Set(kept);
  return {
    kept: [],
    forward: { ...forward, outputs: [embedding!] },
    backward: {
      ...backward,
      nodes: [...forward.nodes, ...backward.nodes],
      initializers: [
        ...forward.initializers,
        ...backward.initializers.filter(({ name }) => !shared.has(name)),
      ],
      inputs: backward.inputs.filter(({ name }) => !handed.has(name)),
      outputs: [...rest.filter(({ name }) => !handed.has(name)), ...backward.outputs],
    },
  };
}

export const IMAGES = 'images';
export const GRADIENT = 'gradient';
export const gradientOf = (slot: string): string => `d/${slot}`;

/**
 * Both passes of a trainable graph in training mode, as the TensorFlow.js backends run them: batch
 * normalisation by the batch's own statistics (Ioffe & Szegedy 2015) behind every convolution.
 * @throws ClmexError `unsupported` for layers that our encoders do not have.
 */
export function trainingModels({ graph, slots, statisticSlots }: Trainable): TrainingModels {
  const shapes = inferShapes(graph);
  const parameters = slots.map(({ name, shape }) => ({ name, shape }));
  const input = channelsFirst(shapes.get(graph.inputs[0]!.name)!);
  const images = { name: IMAGES, shape: ['batch', ...input.slice(1)] };
  const forward = new Nodes('forward');
  const values = new Map([[graph.inputs[0]!.name, IMAGES]]);
  for (const layer of graph.layers) values.set(layer.name, runForward(layer, values, shapes, forward)); // prettier-ignore
  const output = graph.outputs[0]!.name;
  const backward = new BackwardNodes(new Set([IMAGES, ...parameters.map(({ name }) => name)]));
  backward.toAdd.set(output, [GRADIENT]);
  for (const layer of [...graph.layers].reverse()) runBackward(layer, { graph, values, shapes, nodes: backward }); // prettier-ignore
  const embedding = { name: output, shape: ['batch', ...shapes.get(output)!.slice(1)] };
  const kept = [...backward.read];
  const rank = (name: string): OnnxValue => ({ name, shape: forward.shapeOf(name) });
  return {
    kept,
    forward: {
      name: 'forward',
      nodes: forward.nodes,
      initializers: forward.initializers,
      inputs: [images, ...parameters],
      outputs: [embedding, ...statisticSlots.map(({ name, shape }) => ({ name, shape })), ...kept.map(rank)], // prettier-ignore
    },
    backward: {
      name: 'backward',
      nodes: backward.nodes,
      initializers: backward.initializers,
      inputs: [images, ...parameters, { ...embedding, name: GRADIENT }, ...kept.map(rank)],
      outputs: parameters.map(({ name, shape }) => ({ name: gradientOf(name), shape })),
    },
  };
}

/** Nodes and constants in the making. */
class Nodes {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  readonly #shapes = new Map<string, (number | string)[]>();
  readonly #pass: string;
  #made = 0;

  /** @param pass begins the names of its values. */
  constructor(pass: string) {
    this.#pass = pass;
  }

  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    output = `${this.#pass}/${op}${++this.#made}`,
  ): string {
    this.nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  }

  /** Notes the shape of a value that may be handed to the other network. */
  shaped(name: string, shape: readonly (number | string)[]): string {
    this.#shapes.set(name, [...shape]);
    return name;
  }

  shapeOf(name: string): (number | string)[] {
    return this.#shapes.get(name)!;
  }

  float(value: number): string {
    const name = `float ${value}`;
    if (!this.initializers.some((one) => one.name === name))
      this.initializers.push({ name, shape: [], data: Float32Array.of(value) });
    return name;
  }

  ints(values: readonly number[]): string {
    const name = `ints ${values.join()}`;
    if (!this.initializers.some((one) => one.name === name))
      this.initializers.push({ name, shape: [values.length], data: BigInt64Array.from(values, BigInt) }); // prettier-ignore
    return name;
  }

  /** A number a channel, [c], as [1, c, 1, 1]. */
  overPlaces(name: string, channels: number): string {
    return this.node('Reshape', [name, this.ints([1, channels, 1, 1])]);
  }
}

/** Sums gradients of tensors that several layers read, and notes what of the forward pass is read. */
class BackwardNodes extends Nodes {
  readonly read = new Set<string>();
  readonly toAdd = new Map<string, string[]>();
  readonly #given: ReadonlySet<string>;

  constructor(given: ReadonlySet<string>) {
    super('backward');
    this.#given = given;
  }

  /** A value of the forward pass. */
  kept(name: string): string {
    if (!this.#given.has(name)) this.read.add(name);
    return name;
  }

  add(tensor: string, gradient: string): void {
    this.toAdd.set(tensor, [...(this.toAdd.get(tensor) ?? []), gradient]);
  }

  /** The gradient of a tensor, all of whose readers have been passed. */
  gradient(tensor: string): string {
    const parts = this.toAdd.get(tensor)!;
    return parts.reduce((sum, part) => this.node('Add', [sum, part]));
  }
}

const CHANNELS_FIRST = [0, 3, 1, 2];
const CHANNELS_LAST = [0, 2, 3, 1];
const OVER_PLACES = { axes: { ints: [0, 2, 3] }, keepdims: { int: 1 } } as const;
/** [height, width, in, out] to [out, in, height, width], as ONNX has kernels. */
const KERNEL = { perm: { ints: [3, 2, 0, 1] } } as const;

const channelsFirst = (shape: Shape): number[] => shape.length === 4 ? CHANNELS_FIRST.map((axis) => shape[axis]!) : [...shape]; // prettier-ignore

/** Names that a layer's forward pass gives to what its backward pass reads. */
const partsOf = (name: string) => ({
  convolved: `${name}/convolved`,
  mean: `${name}/mean`,
  inverse: `${name}/inverse`,
});

function runForward(
  layer: Layer,
  values: ReadonlyMap<string, string>,
  shapes: ReadonlyMap<string, Shape>,
  out: Nodes,
): string {
  const inputs = layer.inputs.map((name) => values.get(name)!);
  const { name: value } = layer;
  const { inverse } = partsOf(value);
  const shape = ['batch', ...channelsFirst(shapes.get(layer.name)!).slice(1)];
  out.shaped(value, shape);
  switch (layer.kind) {
    case 'conv2d':
      return convolveForward(layer, inputs[0]!, shapes, out);
    case 'dense': {
      const bias = layer.bias === null ? [] : [`${layer.name}.bias`];
      const made = [...inputs, `${layer.name}.kernel`, ...bias];
      return activated(layer, out.node('Gemm', made, {}, beforeActivation(layer)), out);
    }
    case 'add':
      return activated(layer, out.node('Add', inputs, {}, beforeActivation(layer)), out);
    case 'reshape': {
      const last = shapes.get(layer.inputs[0]!)!.length === 4 ? out.node('Transpose', inputs, { perm: { ints: CHANNELS_LAST } }) : inputs[0]!; // prettier-ignore
      return out.node('Reshape', [last, out.ints([-1, ...layer.shape.slice(1)])], {}, value);
    }
    case 'l2Normalize': {
      const length = out.node('ReduceL2', inputs, { axes: { ints: [1] } });
      out.node('Reciprocal', [out.node('Max', [length, out.float(LEAST_LENGTH)])], {}, inverse);
      out.shaped(inverse, ['batch', 1]);
      return out.node('Mul', [inputs[0]!, inverse], {}, value);
    }
    default:
      throw unsupported(layer);
  }
}

/** As {@link unitRows} has it. */
const LEAST_LENGTH = 1e-12;

type Activated = Extract<Layer, { activation: unknown }>;

const beforeActivation = ({ name, activation }: Activated): string => activation === 'none' ? name : `${name}/linear`; // prettier-ignore

function activated(layer: Activated, linear: string, out: Nodes): string {
  if (layer.activation === 'none') return linear;
  if (layer.activation !== 'relu') throw unsupported(layer);
  return out.node('Relu', [linear], {}, layer.name);
}

function convolveForward(
  layer: Conv2d,
  x: string,
  shapes: ReadonlyMap<string, Shape>,
  out: Nodes,
): string {
  const { name } = layer;
  const parts = partsOf(name);
  const channels = layer.kernel.shape[3]!;
  const kernel = out.node('Transpose', [`${name}.kernel`], KERNEL);
  const { pads } = windowOf(layer, shapes);
  const y = out.node('Conv', [x, kernel], { strides: { ints: layer.strides }, pads: { ints: pads } }, parts.convolved); // prettier-ignore
  const mean = out.node('ReduceMean', [y], OVER_PLACES, parts.mean);
  const centred = out.node('Sub', [y, mean]);
  const variance = out.node('ReduceMean', [out.node('Mul', [centred, centred])], OVER_PLACES);
  const safe = out.node('Add', [variance, out.float(BATCH_NORM_EPSILON)]);
  const inverse = out.node('Reciprocal', [out.node('Sqrt', [safe])], {}, parts.inverse);
  out.node('Reshape', [mean, out.ints([channels])], {}, `${name}.mean`);
  out.node('Reshape', [variance, out.ints([channels])], {}, `${name}.variance`);
  const factor = out.node('Mul', [out.overPlaces(`${name}.gamma`, channels), inverse]);
  const scaled = out.node('Mul', [centred, factor]);
  const beta = out.overPlaces(`${name}.beta`, channels);
  out.shaped(parts.convolved, out.shapeOf(name));
  for (const part of [parts.mean, parts.inverse]) out.shaped(part, [1, channels, 1, 1]);
  return activated(layer, out.node('Add', [scaled, beta], {}, beforeActivation(layer)), out);
}

/** [top, left, bottom, right] and the sizes a convolution reads and makes. */
function windowOf({ name, inputs, kernel, strides, padding }: Conv2d, shapes: ReadonlyMap<string, Shape>) {
  const [read, made] = [shapes.get(inputs[0]!)!, shapes.get(name)!];
  const pairs = ([0, 1] as const).map((i) =>
    padding === 'same' ? samePads(read[i + 1]!, kernel.shape[i]!, strides[i]) : ([0, 0] as const),
  );
  const pads = [...pairs.map(([before]) => before), ...pairs.map(([, after]) => after)];
  return { pads, read: read.slice(1, 3), made: made.slice(1, 3) };
} // prettier-ignore

interface BackwardPass {
  readonly graph: Graph;
  readonly values: ReadonlyMap<string, string>;
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly nodes: BackwardNodes;
}

function runBackward(layer: Layer, pass: BackwardPass): void {
  const { values, shapes, nodes } = pass;
  const [x = ''] = layer.inputs;
  const dz = nodes.gradient(layer.name);
  switch (layer.kind) {
    case 'conv2d': {
      convolveBackward(layer, beforeRelu(layer, dz, pass), pass);
      return;
    }
    case 'dense': {
      denseBackward(layer, beforeRelu(layer, dz, pass), pass);
      return;
    }
    case 'add': {
      const da = beforeRelu(layer, dz, pass);
      for (const input of layer.inputs) nodes.add(input, da);
      return;
    }
    case 'reshape': {
      const shape = shapes.get(x)!;
      const laid = nodes.node('Reshape', [dz, nodes.ints([-1, ...shape.slice(1)])]);
      nodes.add(x, shape.length === 4 ? nodes.node('Transpose', [laid], { perm: { ints: CHANNELS_FIRST } }) : laid); // prettier-ignore
      return;
    }
    case 'l2Normalize': {
      const e = nodes.kept(values.get(layer.name)!);
      const along = nodes.node('ReduceSum', [nodes.node('Mul', [e, dz]), nodes.ints([1])]);
      const across = nodes.node('Sub', [dz, nodes.node('Mul', [e, along])]);
      nodes.add(x, nodes.node('Mul', [across, nodes.kept(partsOf(layer.name).inverse)]));
      return;
    }
    default:
      throw unsupported(layer);
  }
}

/** Gradient in front of a ReLU: there where it let something through, else 0. */
function beforeRelu(layer: Activated, dz: string, { values, nodes }: BackwardPass): string {
  if (layer.activation === 'none') return dz;
  // Comparison and choice run on every provider; ONNX's `Sign` does not.
  const passed = nodes.node('Greater', [nodes.kept(values.get(layer.name)!), nodes.float(0)]);
  return nodes.node('Where', [passed, dz, nodes.float(0)]);
}

function denseBackward({ name, inputs, bias }: Dense, dy: string, pass: BackwardPass): void {
  const { values, nodes } = pass;
  const x = nodes.kept(values.get(inputs[0]!)!);
  nodes.node('Gemm', [x, dy], { transA: { int: 1 } }, gradientOf(`${name}.kernel`));
  if (bias !== null) nodes.node('ReduceSum', [dy, nodes.ints([0])], { keepdims: { int: 0 } }, gradientOf(`${name}.bias`)); // prettier-ignore
  nodes.add(inputs[0]!, nodes.node('Gemm', [dy, `${name}.kernel`], { transB: { int: 1 } }));
}

/**
 * Through batch normalisation, dy = γ/σ (da − mean(da) − x̂ mean(da · x̂)), then through the
 * convolution: its input's gradient is a transposed convolution of dy, its kernel's a convolution of
 * the input, channels as batch and batch as channels, with dy as a kernel dilated by the stride.
 */
function convolveBackward(
  layer: Conv2d,
  da: string,
  { graph, values, shapes, nodes }: BackwardPass,
): void {
  const { name, strides } = layer;
  const [input = ''] = layer.inputs;
  const [height, width, , channels] = layer.kernel.shape as [number, number, number, number];
  const parts = partsOf(name);
  const { pads, read, made } = windowOf(layer, shapes);
  const node = nodes.node.bind(nodes);
  const [mean, inverse] = [nodes.kept(parts.mean), nodes.kept(parts.inverse)];
  const y = nodes.kept(parts.convolved);
  const rows = node('Gather', [node('Shape', [GRADIENT]), nodes.ints([0])]);
  const count = node('Mul', [node('Cast', [rows], { to: { int: 1 } }), nodes.float(made[0]! * made[1]!)]); // prettier-ignore
  const normalized = node('Mul', [node('Sub', [y, mean]), inverse]);
  const sumOverPlaces = (value: string): string => node('ReduceSum', [value, nodes.ints([0, 2, 3])], { keepdims: { int: 1 } }); // prettier-ignore
  const [dBeta, dGamma] = [sumOverPlaces(da), sumOverPlaces(node('Mul', [da, normalized]))];
  node('Reshape', [dBeta, nodes.ints([channels])], {}, gradientOf(`${name}.beta`));
  node('Reshape', [dGamma, nodes.ints([channels])], {}, gradientOf(`${name}.gamma`));
  const factor = node('Mul', [nodes.overPlaces(`${name}.gamma`, channels), inverse]);
  const centred = node('Sub', [da, node('Div', [dBeta, count])]);
  const straight = node('Sub', [centred, node('Mul', [normalized, node('Div', [dGamma, count])])]);
  const dy = node('Mul', [straight, factor]);
  const swap = { perm: { ints: [1, 0, 2, 3] } };
  const x = nodes.kept(values.get(input)!);
  const needed = ([0, 1] as const).map((i) => (made[i]! - 1) * strides[i] + layer.kernel.shape[i]! - read[i]! - pads[i]!); // prettier-ignore
  if (needed.some((after) => after < 0)) throw unsupported(layer);
  const dKernel = node('Conv', [node('Transpose', [x], swap), node('Transpose', [dy], swap)], {
    dilations: { ints: strides },
    pads: { ints: [pads[0]!, pads[1]!, ...needed] },
    kernel_shape: { ints: made },
  });
  node('Transpose', [dKernel], { perm: { ints: [2, 3, 0, 1] } }, gradientOf(`${name}.kernel`));
  if (graph.inputs.some((one) => one.name === input)) return;
  nodes.add(
    input,
    node('ConvTranspose', [dy, node('Transpose', [`${name}.kernel`], KERNEL)], {
      strides: { ints: strides },
      pads: { ints: [pads[0]!, pads[1]!, ...needed] },
      kernel_shape: { ints: [height, width] },
    }),
  );
}

function unsupported(layer: Layer): ClmexError {
  return new ClmexError('unsupported', 'this layer cannot be trained in ONNX Runtime', {
    field: layer.name,
    value: 'activation' in layer ? `${layer.kind}, ${layer.activation}` : layer.kind,
    allowed: 'backend wasm, cpu, webgpu or node-gpu',
  });
}
