import type { Graph } from '../graph.js';
import { runInteger } from './integer.js';
import type { RunGraph } from './observe.js';
import { quantizeGraph, type QuantizeOptions } from './quantise.js';
import { RANGE_METHODS } from './range.js';
import type { QuantizedGraph } from './scheme.js';

export interface Candidate extends QuantizeOptions {
  /** Mean and least cosine between float and integer outputs of the held-out inputs. */
  readonly meanCosine: number;
  readonly leastCosine: number;
}

export interface Chosen {
  readonly quantized: QuantizedGraph;
  readonly best: Candidate;
  /** Everything that was tried, best first. */
  readonly candidates: readonly Candidate[];
}

/** Every way of choosing ranges, with and without each correction. */
const TRIALS: readonly QuantizeOptions[] = RANGE_METHODS.flatMap((ranges) =>
  [false, true].flatMap((equalise) =>
    [false, true].map((correctBiases) => ({ ranges, equalise, correctBiases })),
  ),
);

/**
 * Quantises in every way there is and keeps the one whose outputs stay nearest to the float
 * network's on inputs that calibration did not see.
 * @param batches to calibrate on. @param held inputs to judge by.
 */
export async function quantizeBest(
  graph: Graph,
  batches: readonly Float32Array[],
  held: Float32Array,
  run: RunGraph,
): Promise<Chosen> {
  const area = graph.inputs[0]!.shape.slice(1).reduce((product, size) => product * size, 1);
  const count = held.length / area;
  const output = graph.outputs[0]!.name;
  const expected = (await run(graph, held, count)).get(output)!;
  const tried: { quantized: QuantizedGraph; candidate: Candidate }[] = [];
  for (const options of TRIALS) {
    const quantized = await quantizeGraph(graph, batches, run, options);
    const cosines = Array.from({ length: count }, (_, i) => {
      const { floats } = runInteger(quantized, held.subarray(i * area, (i + 1) * area));
      const width = expected.length / count;
      return cosine(floats.get(output)!, expected.subarray(i * width, (i + 1) * width));
    });
    tried.push({
      quantized,
      candidate: {
        ...options,
        meanCosine: cosines.reduce((sum, value) => sum + value, 0) / count,
        leastCosine: Math.min(...cosines),
      },
    });
  }
  tried.sort((a, b) => b.candidate.meanCosine - a.candidate.meanCosine);
  const [best] = tried as [(typeof tried)[number]];
  return {
    quantized: best.quantized,
    best: best.candidate,
    candidates: tried.map(({ candidate }) => candidate),
  };
}

export function cosine(a: Float32Array, b: Float32Array): number {
  let [product, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return product / Math.sqrt(aa * bb);
}
