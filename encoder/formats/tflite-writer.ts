import { ClmexError } from '../../core/errors.js';
import type {
  Activation,
  Conv2d,
  Dense,
  DepthwiseConv2d,
  Graph,
  Layer,
  Padding,
} from '../graph.js';
import type { QuantizedGraph } from '../quantise/scheme.js';
import type { FlatField } from './flat-builder.js';
import { inferShapes, type Shape } from './shapes.js';
import { signed, TfliteAssembly, type TfliteQuantization } from './tflite-assembly.js';

export interface TfliteOptions {
  /** Items in one run; .tflite files state it. */
  readonly batch?: number;
}

/**
 * The .tflite file of a graph of convolutions, dense layers, sums, pools and reshapes, in float.
 * @throws ClmexError `unsupported` for another layer.
 */
export function writeTflite(graph: Graph, { batch = 1 }: TfliteOptions = {}): Uint8Array {
  return new TfliteWriter(graph, undefined, batch).write();
}

/**
 * The same in int8 with float inputs and outputs: activations as signed bytes, kernels a scale a
 * channel, biases int32. Dense layers become 1 × 1 convolutions, which every engine runs with a
 * scale a channel.
 * @throws ClmexError `unsupported` for a layer without integer form.
 */
export function writeTfliteInt8(
  quantized: QuantizedGraph,
  { batch = 1 }: TfliteOptions = {},
): Uint8Array {
  return new TfliteWriter(quantized.graph, quantized, batch).write();
}

type Convolution = Pick<Conv2d | DepthwiseConv2d, 'name' | 'strides' | 'padding' | 'activation'>;

class TfliteWriter {
  readonly #graph: Graph;
  readonly #quantized: QuantizedGraph | undefined;
  readonly #batch: number;
  readonly #shapes: ReadonlyMap<string, Shape>;
  readonly #out = new TfliteAssembly();
  /** Index of the tensor that holds a tensor of the graph. */
  readonly #made = new Map<string, number>();

  constructor(graph: Graph, quantized: QuantizedGraph | undefined, batch: number) {
    this.#graph = graph;
    this.#quantized = quantized;
    this.#batch = batch;
    this.#shapes = inferShapes(graph);
  }

  write(): Uint8Array {
    const { name, inputs, layers, outputs } = this.#graph;
    const first = inputs.map((input) => this.#input(input.name));
    for (const layer of layers) this.#layer(layer);
    const last = outputs.map((output) => this.#output(output.name));
    return this.#out.build(name, first, last);
  }

  #input(name: string): number {
    const given = this.#out.computed(name, this.#shape(name));
    const params = this.#paramsOf(name);
    this.#made.set(name, given);
    if (params !== undefined) {
      const stored = this.#out.computed(`${name}/bytes`, this.#shape(name), params);
      this.#made.set(name, this.#out.operator('QUANTIZE', [given], stored));
    }
    return given;
  }

  /** As floats. */
  #output(name: string): number {
    const made = this.#made.get(name)!;
    if (this.#paramsOf(name) === undefined) return made;
    return this.#out.operator('DEQUANTIZE', [made], this.#out.computed(`${name}/float`, this.#shape(name))); // prettier-ignore
  }

  #layer(layer: Layer): void {
    const [x = ''] = layer.inputs;
    const input = this.#made.get(x)!;
    switch (layer.kind) {
      case 'conv2d':
      case 'depthwiseConv2d':
        this.#convolution(layer, input);
        return;
      case 'dense':
        if (this.#quantized === undefined) this.#dense(layer, input);
        else this.#denseAsConvolution(layer, input);
        return;
      case 'add': {
        const inputs = layer.inputs.map((name) => this.#made.get(name)!);
        this.#out.operator('ADD', inputs, this.#make(layer.name), [activation(0, layer.activation)]); // prettier-ignore
        return;
      }
      case 'maxPool':
        this.#out.operator('MAX_POOL_2D', [input], this.#make(layer.name), [
          padding(layer.padding),
          { at: 1, int32: layer.strides[1] },
          { at: 2, int32: layer.strides[0] },
          { at: 3, int32: layer.size[1] },
          { at: 4, int32: layer.size[0] },
        ]);
        return;
      case 'globalAveragePool': {
        const axes = this.#out.constant(`${layer.name}/axes`, [2], Int32Array.of(1, 2));
        this.#out.operator('MEAN', [input, axes], this.#make(layer.name), [{ at: 0, int8: 0 }]);
        return;
      }
      case 'reshape':
        this.#made.set(layer.name, this.#reshape(layer.name, input, this.#shape(layer.name), this.#paramsOf(layer.name))); // prettier-ignore
        return;
      case 'l2Normalize':
        this.#out.operator('L2_NORMALIZATION', [this.#output(x)], this.#make(layer.name), [activation(0, 'none')]); // prettier-ignore
        return;
      default:
        throw new ClmexError('unsupported', 'this layer is not written to .tflite files', {
          field: layer.name,
          value: layer.kind,
        });
    }
  }

  #convolution(layer: Conv2d | DepthwiseConv2d, input: number): void {
    const { shape } = layer.kernel;
    const [height, width, channels, last] = shape as readonly [number, number, number, number];
    if (layer.kind === 'depthwiseConv2d') {
      const weights = this.#weights(layer, [1, height, width, channels * last], 3);
      this.#out.operator('DEPTHWISE_CONV_2D', [input, ...weights], this.#make(layer.name), [
        ...convolutionFields(layer),
        { at: 3, int32: last },
        activation(4, layer.activation),
        { at: 5, int32: 1 },
        { at: 6, int32: 1 },
      ]);
      return;
    }
    const weights = this.#weights(layer, [last, height, width, channels], 0);
    this.#convolve(layer, [input, ...weights], this.#make(layer.name));
  }

  #convolve(layer: Convolution, inputs: readonly number[], output: number): void {
    this.#out.operator('CONV_2D', inputs, output, [
      ...convolutionFields(layer),
      activation(3, layer.activation),
      { at: 4, int32: 1 },
      { at: 5, int32: 1 },
    ]);
  }

  #dense(layer: Dense, input: number): void {
    const [from, to] = layer.kernel.shape as readonly [number, number];
    const weights = this.#weights(layer, [to, from], 0);
    this.#out.operator('FULLY_CONNECTED', [input, ...weights], this.#make(layer.name), [
      activation(0, layer.activation),
    ]);
  }

  #denseAsConvolution(layer: Dense, input: number): void {
    const { name } = layer;
    const [from, to] = layer.kernel.shape as readonly [number, number];
    const places = this.#shape(name).slice(0, -1).reduce((product, size) => product * size, 1); // prettier-ignore
    const turned = this.#reshape(`${name}/places`, input, [places, 1, 1, from], this.#paramsOf(layer.inputs[0]!)); // prettier-ignore
    const weights = this.#weights(layer, [to, 1, 1, from], 0);
    const product = this.#out.computed(`${name}/product`, [places, 1, 1, to], this.#paramsOf(name));
    this.#convolve({ ...layer, strides: [1, 1], padding: 'valid' }, [turned, ...weights], product);
    this.#made.set(name, this.#reshape(name, product, this.#shape(name), this.#paramsOf(name)));
  }

  #reshape(name: string, input: number, shape: Shape, params: TfliteQuantization | undefined) {
    const sizes = this.#out.constant(`${name}/shape`, [shape.length], Int32Array.from(shape));
    return this.#out.operator('RESHAPE', [input, sizes], this.#out.computed(name, shape, params));
  }

  /** Kernel and bias; `axis` is where the output channel lies in the shape written. */
  #weights(layer: Conv2d | DepthwiseConv2d | Dense, shape: Shape, axis: number): number[] {
    const { name, kernel, bias } = layer;
    const outputs = shape[axis]!;
    const own = this.#quantized?.weights.get(name);
    const turn = <T extends Float32Array | Int8Array>(data: T): T => axis === 0 ? outputFirst(data, outputs) : data; // prettier-ignore
    if (own === undefined) {
      const zeros = new Float32Array(outputs);
      return [
        this.#out.constant(`${name}/kernel`, shape, turn(kernel.data)),
        this.#out.constant(`${name}/bias`, [outputs], bias?.data ?? zeros),
      ];
    }
    const { scale } = this.#quantized!.tensors.get(layer.inputs[0]!)!;
    const zeroPoints = new Array<number>(outputs).fill(0);
    const units = own.scales.map((each) => each * scale);
    return [
      this.#out.constant(`${name}/kernel`, shape, turn(own.kernel), { scales: own.scales, zeroPoints, axis }), // prettier-ignore
      this.#out.constant(`${name}/bias`, [outputs], own.bias, { scales: units, zeroPoints }),
    ];
  }

  #make(name: string): number {
    const made = this.#out.computed(name, this.#shape(name), this.#paramsOf(name));
    this.#made.set(name, made);
    return made;
  }

  #shape(name: string): number[] {
    return [this.#batch, ...this.#shapes.get(name)!.slice(1)];
  }

  #paramsOf(name: string): TfliteQuantization | undefined {
    const params = this.#quantized?.tensors.get(name);
    return params && signed(params);
  }
}

const padding = (kind: Padding): FlatField => ({ at: 0, int8: kind === 'same' ? 0 : 1 });

const activation = (at: number, kind: Activation): FlatField => ({
  at,
  int8: { none: 0, relu: 1, relu6: 3 }[kind],
});

const convolutionFields = ({ padding: kind, strides }: Convolution): FlatField[] => [
  padding(kind),
  { at: 1, int32: strides[1] },
  { at: 2, int32: strides[0] },
];

/** [rest, out] → [out, rest] */
function outputFirst<T extends Float32Array | Int8Array>(data: T, outputs: number): T {
  const out = data.slice() as T;
  const rest = data.length / outputs;
  for (let i = 0; i < data.length; i++) out[(i % outputs) * rest + Math.floor(i / outputs)] = data[i]!; // prettier-ignore
  return out;
}
