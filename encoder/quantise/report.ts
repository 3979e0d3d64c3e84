import { runInteger } from './integer.js';
import { exposed, type RunGraph } from './observe.js';
import { dequantize, isWeighted, rangeOf, type QuantizedGraph } from './scheme.js';
import { dequantizeKernel } from './weights.js';

/** What quantising cost one tensor, over the given inputs. */
export interface LayerReport {
  readonly name: string;
  readonly kind: string;
  /** Float activations against what the integers stand for, all errors before it included. */
  readonly signalToNoiseDb: number;
  /** The layer's own kernel; absent where it has none. */
  readonly weightSignalToNoiseDb?: number;
  readonly low: number;
  readonly high: number;
  /** Share of the float activations outside low…high. */
  readonly clipped: number;
}

/**
 * Layer by layer, the float network against the integer reference.
 * @param inputs items of the graph's one input, one after the other.
 */
export async function reportLayers(
  quantized: QuantizedGraph,
  inputs: Float32Array,
  run: RunGraph,
): Promise<LayerReport[]> {
  const { graph, tensors, weights } = quantized;
  const area = graph.inputs[0]!.shape.slice(1).reduce((product, size) => product * size, 1);
  const count = inputs.length / area;
  const floats = await run(exposed(graph), inputs, count);
  const errors = new Map(graph.layers.map(({ name }) => [name, new Noise()]));
  for (let item = 0; item < count; item++) {
    const { bytes } = runInteger(quantized, inputs.subarray(item * area, (item + 1) * area));
    for (const { name } of graph.layers) {
      const [own, params] = [bytes.get(name), tensors.get(name)];
      if (own === undefined || params === undefined) continue;
      const [low, high] = rangeOf(params);
      const expected = floats.get(name)!.subarray(item * own.length, (item + 1) * own.length);
      const noise = errors.get(name)!;
      own.forEach((q, i) => noise.add(expected[i]!, dequantize(q, params), low, high));
    }
  }
  return graph.layers.flatMap((layer): LayerReport[] => {
    const params = tensors.get(layer.name);
    if (params === undefined || layer.kind === 'reshape') return [];
    const [low, high] = rangeOf(params);
    const noise = errors.get(layer.name)!;
    const own = weights.get(layer.name);
    const kernel = new Noise();
    if (own !== undefined && isWeighted(layer)) {
      const kept = dequantizeKernel(own);
      layer.kernel.data.forEach((value, i) => kernel.add(value, kept[i]!, -Infinity, Infinity));
    }
    return [
      {
        name: layer.name,
        kind: layer.kind,
        signalToNoiseDb: noise.decibels,
        ...(own !== undefined && { weightSignalToNoiseDb: kernel.decibels }),
        low,
        high,
        clipped: noise.clipped,
      },
    ];
  });
}

class Noise {
  #signal = 0;
  #noise = 0;
  #outside = 0;
  #count = 0;

  add(expected: number, got: number, low: number, high: number): void {
    this.#signal += expected ** 2;
    this.#noise += (expected - got) ** 2;
    this.#count++;
    if (expected < low || expected > high) this.#outside++;
  }

  get decibels(): number {
    return 10 * Math.log10(this.#signal / Math.max(this.#noise, 1e-30));
  }

  get clipped(): number {
    return this.#outside / Math.max(1, this.#count);
  }
}
