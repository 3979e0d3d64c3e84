import type { Graph } from '../graph.js';
import { inferShapes } from '../formats/shapes.js';

/**
 * Runs a graph in float; injected, so that the engine at hand does it.
 * @param input the graph's one input, `count` items after each other.
 * @returns every output of the graph by name.
 */
export type RunGraph = (
  graph: Graph,
  input: Float32Array,
  count: number,
) => Promise<ReadonlyMap<string, Float32Array>>;

const BINS = 2048;

/** What calibration saw of one tensor. */
export interface Observed {
  readonly low: number;
  readonly high: number;
  /** Counts of {@link BINS} equal steps from low to high. */
  readonly histogram: Float64Array;
  /** Mean of each element of the last dimension: a channel of a picture, a number of a vector. */
  readonly means: Float64Array;
  /** Largest absolute value of each element of the last dimension. */
  readonly peaks: Float64Array;
}

/** The graph with every tensor as an output. */
export function exposed(graph: Graph): Graph {
  const shapes = inferShapes(graph);
  return {
    ...graph,
    outputs: graph.layers.map(({ name }) => ({ name, shape: shapes.get(name)! })),
  };
}

/**
 * Statistics of every tensor over the calibration set: one pass for ranges and means, one for
 * histograms.
 * @param batches inputs of equal size, `count` items each.
 */
export async function observe(
  graph: Graph,
  batches: readonly Float32Array[],
  run: RunGraph,
): Promise<ReadonlyMap<string, Observed>> {
  const [input] = graph.inputs;
  const area = input!.shape.slice(1).reduce((a, b) => a * b, 1);
  const all = exposed(graph);
  const widths = inferShapes(graph);
  const gathered = new Map<string, Gathered>();
  const each = async (take: (gathered: Gathered, values: Float32Array) => void): Promise<void> => {
    for (const batch of batches) {
      const values = new Map(await run(all, batch, batch.length / area));
      values.set(input!.name, batch);
      for (const [name, data] of values) {
        const found = gathered.get(name) ?? new Gathered(widths.get(name)!.at(-1)!);
        gathered.set(name, found);
        take(found, data);
      }
    }
  };
  await each((found, values) => found.range(values));
  await each((found, values) => found.count(values));
  return new Map([...gathered].map(([name, found]) => [name, found.result()]));
}

class Gathered {
  readonly #histogram = new Float64Array(BINS);
  readonly #sums: Float64Array;
  readonly #peaks: Float64Array;
  #low = Infinity;
  #high = -Infinity;
  #rows = 0;

  constructor(width: number) {
    this.#sums = new Float64Array(width);
    this.#peaks = new Float64Array(width);
  }

  range(values: Float32Array): void {
    const width = this.#sums.length;
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (value < this.#low) this.#low = value;
      if (value > this.#high) this.#high = value;
      const element = i % width;
      this.#sums[element]! += value;
      this.#peaks[element] = Math.max(this.#peaks[element]!, Math.abs(value));
    }
    this.#rows += values.length / width;
  }

  count(values: Float32Array): void {
    const step = (this.#high - this.#low) / BINS || 1;
    for (const value of values) {
      this.#histogram[Math.min(BINS - 1, Math.floor((value - this.#low) / step))]!++;
    }
  }

  result(): Observed {
    return {
      low: this.#low,
      high: this.#high,
      histogram: this.#histogram,
      means: this.#sums.map((sum) => sum / Math.max(1, this.#rows)),
      peaks: this.#peaks,
    };
  }
}
