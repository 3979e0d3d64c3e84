import { ClmexError } from '../../core/errors.js';
import type { Layer } from '../graph.js';
import type { QuantizedGraph, QuantizedWeights, QuantParams } from '../quantise/scheme.js';
import { readTflite } from './tflite.js';
import { readTfliteFile, type TfliteFile, type TfliteTensor } from './tflite-file.js';

/**
 * Reads an int8 .tflite file, as {@link writeTfliteInt8} writes it, with its integers: what the
 * integer reference makes of it is what an engine should.
 * @throws ClmexError `model-invalid` for a file without quantised tensors; see {@link readTflite}.
 */
export function readTfliteInt8(bytes: Uint8Array, name: string): QuantizedGraph {
  const read = readTflite(bytes, name);
  const graph = { ...read, layers: read.layers.map(pooled) };
  const file = readTfliteFile(bytes);
  const tensors = new Map<string, QuantParams>();
  for (const operator of file.operators) {
    const made = file.tensors[operator.outputs[0]!]!;
    const params = paramsOf(made);
    if (params === undefined) continue;
    const source = operator.name === 'QUANTIZE' ? file.tensors[operator.inputs[0]!]! : made;
    tensors.set(source.name, params);
  }
  if (tensors.size === 0) {
    throw new ClmexError('model-invalid', 'the model is not quantised', { field: name });
  }
  return { graph, tensors, weights: weightsOf(file) };
}

/** The mean over all places has a layer of its own. */
function pooled(layer: Layer): Layer {
  if (layer.kind !== 'mean' || layer.axes.join() !== '1,2' || layer.keepDims) return layer;
  return { kind: 'globalAveragePool', name: layer.name, inputs: layer.inputs };
}

function paramsOf({ quantization, data }: TfliteTensor): QuantParams | undefined {
  const [scale] = quantization.scales;
  if (scale === undefined || data.length > 0) return undefined;
  return { scale, zeroPoint: (quantization.zeroPoints[0] ?? 0) + 128 };
}

function weightsOf(file: TfliteFile): Map<string, QuantizedWeights> {
  const weights = new Map<string, QuantizedWeights>();
  for (const { name, inputs, outputs } of file.operators) {
    if (name !== 'CONV_2D' && name !== 'DEPTHWISE_CONV_2D') continue;
    const [kernel, bias] = [file.tensors[inputs[1]!]!, file.tensors[inputs[2]!]!];
    const scales = Float32Array.from(kernel.quantization.scales);
    const stored = Int8Array.from(kernel.data, (byte) => (byte << 24) >> 24);
    weights.set(file.tensors[outputs[0]!]!.name, {
      kernel: name === 'CONV_2D' ? outputLast(stored, scales.length) : stored,
      scales,
      bias: new Int32Array(bias.data.slice().buffer),
    });
  }
  return weights;
}

/** [out, rest] → [rest, out] */
function outputLast(data: Int8Array, outputs: number): Int8Array {
  const rest = data.length / outputs;
  return Int8Array.from(data, (_, i) => data[(i % outputs) * rest + Math.floor(i / outputs)]!);
}
