import type { Observed } from './observe.js';
import {
  isWeighted, outputChannels, type QuantizedGraph, type QuantizedWeights, type WeightedLayer,
} from './scheme.js'; // prettier-ignore
import { dequantizeKernel } from './weights.js';

/**
 * Rounding a kernel moves the mean of what it computes by Σ (w − ŵ) · E[x]; the bias takes that back
 * (Nagel et al. 2019, section 4.2, with E[x] measured). Borders, where padding lowers E[x], are
 * treated like the rest.
 */
export function correctBiases(
  quantized: QuantizedGraph,
  observed: ReadonlyMap<string, Observed>,
): QuantizedGraph {
  const weights = new Map(quantized.weights);
  for (const layer of quantized.graph.layers) {
    const own = isWeighted(layer) ? weights.get(layer.name) : undefined;
    if (own === undefined || !isWeighted(layer)) continue;
    const { means } = observed.get(layer.inputs[0]!)!;
    const input = quantized.tensors.get(layer.inputs[0]!)!;
    weights.set(layer.name, corrected(layer, own, means, input.scale));
  }
  return { ...quantized, weights };
}

function corrected(
  layer: WeightedLayer,
  own: QuantizedWeights,
  means: Float64Array,
  inputScale: number,
): QuantizedWeights {
  const channels = outputChannels(layer);
  const shift = new Float64Array(channels);
  const kept = dequantizeKernel(own);
  const multiplier = layer.kind === 'depthwiseConv2d' ? layer.kernel.shape[3]! : 0;
  layer.kernel.data.forEach((value, i) => {
    const output = i % channels;
    const input = multiplier > 0 ? Math.floor(output / multiplier) : Math.floor(i / channels);
    shift[output]! += (value - kept[i]!) * means[input % means.length]!;
  });
  const bias = own.bias.map((value, c) =>
    Math.round(value + shift[c]! / Math.fround(inputScale * own.scales[c]!)),
  );
  return { ...own, bias };
}
