import type { QuantizedGraph, QuantizedWeights, QuantParams } from '../quantise/scheme.js';
import { isWeighted, rangeOf } from '../quantise/scheme.js';
import {
  encodeOnnx, type OnnxAttribute, type OnnxData, type OnnxModel, type OnnxNode, type OnnxTensor,
} from './onnx-proto.js'; // prettier-ignore
import { onnxModel } from './onnx.js';

/**
 * The int8 .onnx file of a quantised graph as TensorRT wants it (explicit quantisation): every
 * number symmetric around zero point 0, activations per tensor, weights per channel, biases in
 * float; pairs of QuantizeLinear and DequantizeLinear before what multiplies and before sums, ReLUs
 * written out.
 */
export function writeOnnxSymmetric(quantized: QuantizedGraph): Uint8Array {
  const { graph, weights } = quantized;
  const layers = graph.layers.map((layer) => {
    const own = weights.get(layer.name);
    return own === undefined || !isWeighted(layer) || layer.bias === null
      ? layer
      : { ...layer, bias: { ...layer.bias, data: biasOf(own, quantized, layer.inputs[0]!) } };
  });
  return encodeOnnx(new SymmetricModel(onnxModel({ ...graph, layers }), quantized).model());
}

/** As bias correction left it. */
function biasOf({ bias, scales }: QuantizedWeights, { tensors }: QuantizedGraph, input: string) {
  const unit = tensors.get(input)!.scale;
  return Float32Array.from(bias, (q, c) => q * unit * scales[c]!);
}

const LARGEST = 127;
/** Operators whose inputs are quantised. */
const QUANTISED = new Set(['Conv', 'Gemm', 'Add']);

class SymmetricModel {
  readonly #float: OnnxModel;
  readonly #quantized: QuantizedGraph;
  readonly #initializers = new Map<string, OnnxTensor>();
  readonly #stored = new Map<string, string>();
  readonly #nodes: OnnxNode[] = [];

  constructor(float: OnnxModel, quantized: QuantizedGraph) {
    this.#float = float;
    this.#quantized = quantized;
    for (const tensor of float.initializers) this.#initializers.set(tensor.name, tensor);
  }

  model(): OnnxModel {
    for (const node of this.#float.nodes) {
      const inputs = QUANTISED.has(node.op)
        ? node.inputs.map((name) => this.#activation(name) ?? this.#kernel(name, node.op) ?? name)
        : node.inputs;
      this.#nodes.push({ ...node, inputs });
    }
    return {
      ...this.#float,
      name: `${this.#float.name}-int8-symmetric`,
      nodes: this.#nodes,
      initializers: [...this.#initializers.values()],
    };
  }

  /** Undefined for what is no activation. */
  #activation(name: string): string | undefined {
    const tensor = name.replace(/@nchw$/, '');
    const params = this.#quantized.tensors.get(tensor);
    if (params === undefined) return undefined;
    const known = this.#stored.get(name);
    if (known !== undefined) return known;
    const how = [
      this.#put(`${tensor}/scale`, [], Float32Array.of(symmetricScale(params))),
      this.#put(`${tensor}/zero`, [], Int8Array.of(0)),
    ];
    const bytes = this.#node('QuantizeLinear', [name, ...how], `${name}/bytes`);
    const stored = this.#node('DequantizeLinear', [bytes, ...how], `${name}/stored`);
    this.#stored.set(name, stored);
    return stored;
  }

  /** Weights as bytes and their scales; undefined for what is no kernel. */
  #kernel(name: string, op: string): string | undefined {
    const layer = /^(.*)\/kernel$/.exec(name)?.[1];
    const own = layer === undefined ? undefined : this.#quantized.weights.get(layer);
    const tensor = this.#initializers.get(name);
    if (own === undefined || tensor === undefined) return undefined;
    // Convolutions have their output channels first, products last.
    const axis = op === 'Conv' ? 0 : 1;
    const { scales } = own;
    const inner = tensor.data.length / tensor.shape[0]!;
    const bytes = Int8Array.from(tensor.data as Float32Array, (value, i) => {
      const channel = axis === 0 ? Math.floor(i / inner) : i % scales.length;
      return Math.max(-LARGEST, Math.min(LARGEST, Math.round(value / scales[channel]!)));
    });
    this.#put(name, tensor.shape, bytes);
    const scale = this.#put(`${name}/scale`, [scales.length], scales);
    const zero = this.#put(`${name}/zero`, [scales.length], new Int8Array(scales.length));
    return this.#node('DequantizeLinear', [name, scale, zero], `${name}/float`, {
      axis: { int: axis },
    });
  }

  #node(
    op: string,
    inputs: readonly string[],
    output: string,
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
  ): string {
    this.#nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  }

  #put(name: string, shape: readonly number[], data: OnnxData): string {
    this.#initializers.set(name, { name, shape, data });
    return name;
  }
}

function symmetricScale(params: QuantParams): number {
  const [low, high] = rangeOf(params);
  return Math.max(-low, high) / LARGEST;
}
