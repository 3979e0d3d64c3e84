import { ClmexError } from '../../core/errors.js';
import type { Activation, Graph, Layer } from '../graph.js';
import { correctBiases } from './bias-correction.js';
import { equalise } from './equalise.js';
import { observe, type Observed, type RunGraph } from './observe.js';
import { chooseRange, type RangeMethod } from './range.js';
import {
  isWeighted, paramsOf, rangeOf, type QuantizedGraph, type QuantizedWeights, type QuantParams,
} from './scheme.js'; // prettier-ignore
import { quantizeWeights } from './weights.js';

export interface QuantizeOptions {
  readonly ranges: RangeMethod;
  readonly equalise: boolean;
  readonly correctBiases: boolean;
}

/** Layers that compute in float behind the bytes; only such ones may follow them. */
const FLOAT_TAIL = new Set<Layer['kind']>(['l2Normalize']);

/**
 * Post-training quantisation of a graph of convolutions, dense layers, sums, pools and reshapes.
 * @param batches calibration inputs as the network will see them, several items each.
 * @throws ClmexError `unsupported` for a layer that has no integer form, naming it;
 *   `invalid-argument` without calibration data.
 */
export async function quantizeGraph(
  graph: Graph,
  batches: readonly Float32Array[],
  run: RunGraph,
  options: QuantizeOptions,
): Promise<QuantizedGraph> {
  if (batches.every(({ length }) => length === 0)) {
    throw new ClmexError('invalid-argument', 'quantising needs inputs to calibrate on', {
      field: 'batches',
      value: batches.length,
      allowed: 'at least one',
    });
  }
  const folded = withoutPlainRelu(graph);
  let observed = await observe(folded, batches, run);
  let prepared = folded;
  if (options.equalise) {
    prepared = equalise(folded, observed);
    observed = await observe(prepared, batches, run);
  }
  const tensors = chooseParams(prepared, observed, options.ranges);
  const weights = new Map<string, QuantizedWeights>();
  for (const layer of prepared.layers) {
    if (isWeighted(layer))
      weights.set(layer.name, quantizeWeights(layer, tensors.get(layer.inputs[0]!)!.scale));
  }
  const quantized = { graph: prepared, tensors, weights };
  return options.correctBiases ? correctBiases(quantized, observed) : quantized;
}

function chooseParams(
  graph: Graph,
  observed: ReadonlyMap<string, Observed>,
  ranges: RangeMethod,
): Map<string, QuantParams> {
  const tensors = new Map<string, QuantParams>();
  for (const { name } of graph.inputs) tensors.set(name, chooseRange(observed.get(name)!, ranges));
  for (const layer of graph.layers) {
    const inputs = layer.inputs.map((name) => tensors.get(name));
    if (FLOAT_TAIL.has(layer.kind)) continue;
    if (inputs.some((params) => params === undefined)) throw unsupported(layer);
    switch (layer.kind) {
      case 'reshape':
      case 'maxPool':
        tensors.set(layer.name, inputs[0]!);
        break;
      case 'conv2d':
      case 'depthwiseConv2d':
      case 'dense':
      case 'add':
        tensors.set(
          layer.name,
          limited(chooseRange(observed.get(layer.name)!, ranges), layer.activation),
        );
        break;
      case 'globalAveragePool':
        tensors.set(layer.name, chooseRange(observed.get(layer.name)!, ranges));
        break;
      default:
        throw unsupported(layer);
    }
  }
  return tensors;
}

/** Behind a ReLU the range starts at zero, behind a ReLU6 it ends at six: the byte's ends clamp. */
function limited(params: QuantParams, activation: Activation): QuantParams {
  if (activation === 'none') return params;
  const [, high] = rangeOf(params);
  return paramsOf(0, activation === 'relu6' ? Math.min(6, high) : high);
}

/** ReLUs that stand alone become the activation of the layer before, where only they read it. */
function withoutPlainRelu(graph: Graph): Graph {
  const made = new Map<string, Layer>();
  const readers = (name: string): number =>
    graph.layers.filter(({ inputs }) => inputs.includes(name)).length +
    graph.outputs.filter((output) => output.name === name).length;
  for (const layer of graph.layers) {
    const [input = ''] = layer.inputs;
    const before = made.get(input);
    const relu = layer.kind === 'relu' || layer.kind === 'relu6';
    if (
      relu &&
      readers(input) === 1 &&
      before &&
      'activation' in before &&
      before.activation === 'none'
    ) {
      made.delete(before.name);
      made.set(layer.name, { ...before, name: layer.name, activation: layer.kind });
    } else {
      made.set(layer.name, layer);
    }
  }
  return { ...graph, layers: [...made.values()] };
}

function unsupported(layer: Layer): ClmexError {
  return new ClmexError('unsupported', 'this layer has no integer form', {
    field: layer.name,
    value: layer.kind,
    allowed: 'conv2d, depthwiseConv2d, dense, add, maxPool, globalAveragePool, reshape, and l2Normalize at the end', // prettier-ignore
  });
}
