import { ClmexError } from '../../core/errors.js';
import type { Conv2d, Dense, DepthwiseConv2d, Layer, MaxPool, Padding } from '../graph.js';
import type { QuantizedGraph, QuantizedWeights } from '../quantise/scheme.js';
import {
  encodeOnnx, type OnnxAttribute, type OnnxData, type OnnxNode, type OnnxTensor,
} from './onnx-proto.js'; // prettier-ignore
import { inferShapes, samePads, type Shape } from './shapes.js';

/**
 * The int8 .onnx file of a quantised graph: float in, float out, and between them every tensor that
 * a layer makes goes through its own QuantizeLinear/DequantizeLinear pair. ONNX Runtime then fuses
 * each layer with its pairs into one integer operator (QLinearConv, QLinearAdd, QGemm, …). ReLUs are
 * not written: the byte's zero point is 0 behind them, so storing the byte clamps. Activations are
 * unsigned bytes, which x64 multiplies fastest with signed weights.
 * @throws ClmexError `unsupported` for a layer without integer form.
 */
export function writeOnnxInt8(quantized: QuantizedGraph): Uint8Array {
  const writer = new Int8Writer(quantized);
  const { graph } = quantized;
  for (const { name } of graph.inputs) writer.input(name);
  for (const layer of graph.layers) writer.layer(layer);
  for (const { name } of graph.outputs) writer.output(name);
  const free = (shape: Shape): (number | string)[] => ['batch', ...shape.slice(1)];
  return encodeOnnx({
    name: `${graph.name}-int8`,
    nodes: writer.nodes,
    initializers: writer.initializers,
    inputs: graph.inputs.map(({ name, shape }) => ({ name, shape: free(shape) })),
    outputs: graph.outputs.map(({ name, shape }) => ({ name, shape: free(shape) })),
  });
}

type Attributes = Readonly<Record<string, OnnxAttribute>>;
const TO_NCHW = [0, 3, 1, 2];
const TO_NHWC = [0, 2, 3, 1];

class Int8Writer {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  readonly #quantized: QuantizedGraph;
  readonly #shapes: ReadonlyMap<string, Shape>;
  /** Value that holds a tensor dequantised, by tensor and order of its dimensions. */
  readonly #values = new Map<string, string>();

  constructor(quantized: QuantizedGraph) {
    this.#quantized = quantized;
    this.#shapes = inferShapes(quantized.graph);
  }

  input(name: string): void {
    this.#pair(name, name, 'nhwc');
  }

  output(name: string): void {
    if (this.#quantized.tensors.has(name)) this.#node('Identity', [this.#get(name, 'nhwc')], name);
  }

  layer(layer: Layer): void {
    const [x = ''] = layer.inputs;
    const { name } = layer;
    switch (layer.kind) {
      case 'conv2d':
      case 'depthwiseConv2d':
        if (this.#values.has(`${x}@squares`))
          this.#overSquares(layer as Conv2d, this.#values.get(`${x}@squares`)!, ONE);
        else if (foldable(layer, this.#shapes.get(x)!)) this.#folded(layer);
        else this.#convolution(layer);
        return;
      case 'dense':
        this.#dense(layer);
        return;
      case 'add': {
        const order = this.#shapes.get(name)!.length === 4 ? 'nchw' : 'nhwc';
        const inputs = layer.inputs.map((input) => this.#get(input, order));
        this.#pair(name, this.#node('Add', inputs, `${name}/float`), order);
        return;
      }
      case 'maxPool':
        this.#pair(name, this.#node('MaxPool', [this.#get(x, 'nchw')], `${name}/float`, this.#window(layer)), 'nchw'); // prettier-ignore
        return;
      case 'globalAveragePool': {
        const mean = this.#node('GlobalAveragePool', [this.#get(x, 'nchw')], `${name}/mean`);
        const kept = this.#pair(name, mean, 'nchw');
        this.#pair(name, this.#node('Flatten', [kept], `${name}/flat`, { axis: { int: 1 } }), 'nhwc'); // prettier-ignore
        return;
      }
      case 'reshape': {
        const shape = BigInt64Array.from([-1, ...layer.shape.slice(1)], BigInt);
        const dims = this.#put(`${name}/shape`, [shape.length], shape);
        this.#pair(name, this.#node('Reshape', [this.#get(x, 'nhwc'), dims], `${name}/float`), 'nhwc'); // prettier-ignore
        return;
      }
      case 'l2Normalize':
        this.#normalize(name, this.#get(x, 'nhwc'));
        return;
      default:
        throw new ClmexError('unsupported', 'this layer has no integer form', {
          field: name,
          value: layer.kind,
        });
    }
  }

  #convolution(layer: Conv2d | DepthwiseConv2d): void {
    const { name } = layer;
    const [height, width, channels, last] = layer.kernel.shape as readonly [number, number, number, number]; // prettier-ignore
    const depthwise = layer.kind === 'depthwiseConv2d';
    const outputs = depthwise ? channels * last : last;
    const each = depthwise ? 1 : channels;
    const own = this.#quantized.weights.get(name)!;
    const turned = turn(own.kernel, outputs, each, height * width);
    const inputs = [
      this.#get(layer.inputs[0]!, 'nchw'),
      this.#weights(name, own, [outputs, each, height, width], turned),
      this.#bias(name, layer.inputs[0]!, own),
    ];
    const attributes = {
      ...this.#window({ ...layer, size: [height, width] }),
      group: { int: depthwise ? channels : 1 },
    };
    this.#pair(name, this.#node('Conv', inputs, `${name}/float`, attributes), 'nchw');
  }

  /**
   * A strided convolution of one channel, as one of stride 1 over squares of pixels laid into
   * channels: the same sums. Integer convolutions gather their input by runs of channels, and runs
   * of one cost more than the multiplying. Where a strided convolution alone reads the result, it is
   * made in that one's squares.
   */
  #folded(layer: Conv2d): void {
    const { name, strides } = layer;
    const [x = ''] = layer.inputs;
    const [, height, width] = this.#shapes.get(x)! as readonly [number, number, number];
    const made = this.#squaresOfReader(name);
    const [tall, broad] = [strides[0] * made[0], strides[1] * made[1]];
    const [rows, columns] = [height / tall, width / broad];
    const split = this.#dims(`${name}/split`, [-1, rows, tall, columns, broad]);
    const merged = this.#dims(`${name}/merged`, [-1, rows, columns, tall * broad]);
    const parts = this.#node('Reshape', [this.#get(x, 'nhwc'), split], `${name}/parts`);
    const turned = this.#node('Transpose', [parts], `${name}/turned`, { perm: { ints: [0, 1, 3, 2, 4] } }); // prettier-ignore
    const squares = this.#node('Reshape', [turned, merged], `${name}/squares`);
    const stored = this.#store(x, squares, `${name}/squares/stored`);
    const input = this.#node('Transpose', [stored], `${name}/input`, { perm: { ints: TO_NCHW } });
    this.#overSquares(layer, this.#store(x, input, `${name}/input/stored`), made);
  }

  /** @param input squares of this layer's stride times `made`. @param made side of the output's squares. */
  #overSquares(layer: Conv2d, input: string, made: Sides): void {
    const { name, strides, kernel } = layer;
    const [height, width, channels, outputs] = kernel.shape as readonly [number, number, number, number]; // prettier-ignore
    const high = Math.ceil((strides[0] * (made[0] - 1) + height) / (strides[0] * made[0]));
    const wide = Math.ceil((strides[1] * (made[1] - 1) + width) / (strides[1] * made[1]));
    const places = made[0] * made[1];
    const { kernel: weights, scales, bias } = this.#quantized.weights.get(name)!;
    const folded = foldKernel(weights, layer, made, [high, wide]);
    const own = {
      kernel: folded,
      scales: Float32Array.from({ length: places * outputs }, (_, i) => scales[i % outputs]!),
      bias: Int32Array.from({ length: places * outputs }, (_, i) => bias[i % outputs]!),
    };
    const pixels = places * strides[0] * strides[1];
    const inputs = [
      input,
      this.#weights(name, own, [places * outputs, pixels * channels, high, wide], folded),
      this.#bias(name, layer.inputs[0]!, own),
    ];
    const attributes = {
      kernel_shape: { ints: [high, wide] },
      strides: { ints: [1, 1] },
      pads: { ints: [0, 0, high - 1, wide - 1] },
    };
    const value = this.#node('Conv', inputs, `${name}/float`, attributes);
    if (places === 1) this.#pair(name, value, 'nchw');
    else this.#values.set(`${name}@squares`, this.#store(name, value, `${name}@squares`));
  }

  /** Sides of the squares that a tensor's only reader would like; 1 where it likes pixels. */
  #squaresOfReader(name: string): Sides {
    const { layers, outputs } = this.#quantized.graph;
    const [reader, ...others] = layers.filter(({ inputs }) => inputs.includes(name));
    const kept = outputs.some((output) => output.name === name);
    if (reader === undefined || others.length > 0 || kept) return ONE;
    return squared(reader, this.#shapes.get(name)!) ? reader.strides : ONE;
  }

  #dense(layer: Dense): void {
    const { name } = layer;
    const [from, to] = layer.kernel.shape as readonly [number, number];
    const own = this.#quantized.weights.get(name)!;
    const inputs = [
      this.#get(layer.inputs[0]!, 'nhwc'),
      this.#weights(name, own, [to, from], turn(own.kernel, to, from, 1)),
      this.#bias(name, layer.inputs[0]!, own),
    ];
    this.#pair(name, this.#node('Gemm', inputs, `${name}/float`, { transB: { int: 1 } }), 'nhwc');
  }

  /** One operator where the float file has three: this file runs on the CPU, which knows it. */
  #normalize(name: string, input: string): void {
    this.#node('LpNormalization', [input], name, { axis: { int: -1 }, p: { int: 2 } });
  }

  /** Kernel, size, padding of a window. */
  #window(layer: Pick<MaxPool, 'size' | 'strides' | 'inputs'> & { padding: Padding }): Attributes {
    const [, height, width] = this.#shapes.get(layer.inputs[0]!)! as readonly [number, number, number]; // prettier-ignore
    const [top, bottom] = samePads(height, layer.size[0], layer.strides[0]);
    const [left, right] = samePads(width, layer.size[1], layer.strides[1]);
    const pads = layer.padding === 'same' ? [top, left, bottom, right] : [0, 0, 0, 0];
    return {
      kernel_shape: { ints: layer.size },
      strides: { ints: layer.strides },
      pads: { ints: pads },
    };
  }

  #weights(name: string, { scales }: QuantizedWeights, shape: Shape, kernel: Int8Array): string {
    const values = this.#put(`${name}/kernel`, shape, kernel);
    const scale = this.#put(`${name}/kernel/scale`, [scales.length], scales);
    const zero = this.#put(`${name}/kernel/zero`, [scales.length], new Int8Array(scales.length));
    return this.#node('DequantizeLinear', [values, scale, zero], `${name}/kernel/float`, {
      axis: { int: 0 },
    });
  }

  #bias(name: string, input: string, { scales, bias }: QuantizedWeights): string {
    const unit = scales.map((scale) => scale * this.#quantized.tensors.get(input)!.scale);
    const values = this.#put(`${name}/bias`, [bias.length], bias);
    const scale = this.#put(`${name}/bias/scale`, [unit.length], unit);
    const zero = this.#put(`${name}/bias/zero`, [unit.length], new Int32Array(unit.length));
    return this.#node('DequantizeLinear', [values, scale, zero], `${name}/bias/float`, {
      axis: { int: 0 },
    });
  }

  /** A tensor's own quantise/dequantise pair behind the float value that a layer made. */
  #pair(name: string, value: string, order: 'nchw' | 'nhwc'): string {
    const key = `${name}@${order}`;
    this.#values.set(key, this.#store(name, value, key));
    return key;
  }

  /** A quantise/dequantise pair with the tensor's parameters. */
  #store(name: string, value: string, key: string): string {
    const params = this.#quantized.tensors.get(name)!;
    if (!this.initializers.some((tensor) => tensor.name === `${name}/scale`)) {
      this.#put(`${name}/scale`, [], Float32Array.of(params.scale));
      this.#put(`${name}/zero`, [], Uint8Array.of(params.zeroPoint));
    }
    const how = [`${name}/scale`, `${name}/zero`];
    const stored = this.#node('QuantizeLinear', [value, ...how], `${key}/bytes`);
    return this.#node('DequantizeLinear', [stored, ...how], key);
  }

  #get(name: string, order: 'nchw' | 'nhwc'): string {
    const found = this.#values.get(`${name}@${order}`);
    if (found !== undefined) return found;
    const other = this.#values.get(`${name}@${order === 'nchw' ? 'nhwc' : 'nchw'}`)!;
    if (this.#shapes.get(name)!.length !== 4) return other;
    const perm = { ints: order === 'nchw' ? TO_NCHW : TO_NHWC };
    const turned = this.#node('Transpose', [other], `${name}/${order}`, { perm });
    return this.#pair(name, turned, order);
  }

  #node(op: string, inputs: readonly string[], output: string, attributes: Attributes = {}) {
    this.nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  }

  #dims(name: string, sizes: readonly number[]): string {
    return this.#put(name, [sizes.length], BigInt64Array.from(sizes, BigInt));
  }

  #put(name: string, shape: Shape, data: OnnxData): string {
    this.initializers.push({ name, shape, data });
    return name;
  }
}

/** Height and width of a square of pixels that lie in one another's channels. */
type Sides = readonly [number, number];
const ONE: Sides = [1, 1];

/** One channel, and worth folding. */
const foldable = (layer: Layer, shape: Shape): layer is Conv2d =>
  shape[3] === 1 && squared(layer, shape);

/** A convolution whose strides divide the picture, with padding only behind. */
function squared(layer: Layer, shape: Shape): layer is Conv2d {
  if (layer.kind !== 'conv2d' || layer.padding !== 'same') return false;
  const { strides, kernel } = layer;
  const along = (i: 0 | 1): boolean =>
    shape[i + 1]! % strides[i] === 0 &&
    kernel.shape[i]! > strides[i] &&
    samePads(shape[i + 1]!, kernel.shape[i]!, strides[i])[0] === 0;
  return strides[0] * strides[1] > 1 && along(0) && along(1);
}

/**
 * [kernelHeight, kernelWidth, in, out] → [made squares × out, read squares × in, high, wide], zeros
 * beyond the kernel; pixels of a square row by row, channels within a pixel.
 */
function foldKernel(
  data: Int8Array,
  { kernel, strides: [down, right] }: Conv2d,
  [rows, columns]: Sides,
  [high, wide]: Sides,
): Int8Array {
  const [, width, inputs, outputs] = kernel.shape as readonly [number, number, number, number];
  const [tall, broad] = [down * rows, right * columns];
  const read = tall * broad * inputs;
  const out = new Int8Array(rows * columns * outputs * read * high * wide);
  data.forEach((weight, i) => {
    const [output, input] = [i % outputs, Math.floor(i / outputs) % inputs];
    const place = Math.floor(i / (outputs * inputs));
    for (let made = 0; made < rows * columns; made++) {
      const y = Math.floor(made / columns) * down + Math.floor(place / width);
      const x = (made % columns) * right + (place % width);
      const channel = ((y % tall) * broad + (x % broad)) * inputs + input;
      const square = Math.floor(y / tall) * wide + Math.floor(x / broad);
      out[((made * outputs + output) * read + channel) * high * wide + square] = weight;
    }
  });
  return out;
}

/** [places, in, out] → [out, in, places]: a graph's kernel in ONNX's order. */
function turn(kernel: Int8Array, outputs: number, inputs: number, places: number): Int8Array {
  const out = new Int8Array(kernel.length);
  for (let i = 0; i < kernel.length; i++) {
    const output = i % outputs;
    const input = Math.floor(i / outputs) % inputs;
    const place = Math.floor(i / (outputs * inputs));
    out[(output * inputs + input) * places + place] = kernel[i]!;
  }
  return out;
}
