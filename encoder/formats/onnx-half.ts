import type { Graph } from '../graph.js';
import {
  DATA_TYPE, encodeOnnx, HalfArray, type OnnxNode, type OnnxTensor,
} from './onnx-proto.js'; // prettier-ignore
import { onnxModel } from './onnx.js';

/**
 * The .onnx file of a graph in half precision, for GPUs: weights and activations are float16 inside,
 * inputs and outputs stay float32, so that it is fed like any other form of the network.
 * @throws ClmexError `model-invalid` for a graph whose shapes do not fit.
 */
export function writeOnnxHalf(graph: Graph): Uint8Array {
  const model = onnxModel(graph);
  const inside = new Map<string, string>();
  const casts: OnnxNode[] = [];
  for (const { name } of model.inputs) {
    inside.set(name, `${name}/half`);
    casts.push(cast(name, `${name}/half`, DATA_TYPE.half));
  }
  const back = model.outputs.map(({ name }) => {
    inside.set(name, `${name}/half`);
    return cast(`${name}/half`, name, DATA_TYPE.float);
  });
  const renamed = (names: readonly string[]): string[] =>
    names.map((name) => inside.get(name) ?? name);
  const nodes = model.nodes.map((node) => ({
    ...node,
    inputs: renamed(node.inputs),
    outputs: renamed(node.outputs),
  }));
  return encodeOnnx({
    ...model,
    name: `${model.name}-fp16`,
    nodes: [...casts, ...nodes, ...back],
    initializers: model.initializers.map(halved),
  });
}

const cast = (from: string, to: string, type: number): OnnxNode => ({
  op: 'Cast',
  inputs: [from],
  outputs: [to],
  attributes: { to: { int: type } },
});

function halved(tensor: OnnxTensor): OnnxTensor {
  if (!(tensor.data instanceof Float32Array)) return tensor;
  // A lone number guards against zero or states an end: it must not become zero itself.
  const guard = tensor.shape.length === 0;
  const data = new HalfArray(tensor.data.length);
  tensor.data.forEach((value, i) => {
    const half = toHalf(value);
    data[i] = guard && value > 0 && half === 0 ? SMALLEST_NORMAL : half;
  });
  return { ...tensor, data };
}

const SMALLEST_NORMAL = 0x0400;
const LARGEST = 65_504;

/**
 * Bits of the nearest half-precision number (IEEE 754-2019, binary16), halves to the even one. What
 * is larger than every such number becomes the largest: a weight must stay finite.
 */
export function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.min(LARGEST, Math.abs(value));
  const exponent = Math.max(-14, Math.floor(Math.log2(size || 1e-30)));
  const steps = size / 2 ** (exponent - 10);
  const below = Math.floor(steps);
  const odd = below % 2 === 1;
  const up = steps - below > 0.5 || (steps - below === 0.5 && odd);
  const fraction = below + (up ? 1 : 0);
  // Subnormal numbers have no leading one; a carry runs into the exponent by itself.
  return sign | (fraction < 1024 ? fraction : ((exponent + 14) << 10) + fraction);
}
