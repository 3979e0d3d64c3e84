import { ROWS_PER_VIEW, type Model } from '../encoder/index.js';
import type { Graph } from '../encoder/graph.js';
import type { RunGraph } from '../encoder/quantise/observe.js';
import type { Engine } from '../runtime/engine/engine.js';

const BATCH = 8;

/** Runs graphs in float on an engine, as calibration needs; a graph's session is kept until closed. */
export class GraphRunner {
  readonly #engine: Engine;
  readonly #sessions = new Map<Graph, Awaited<ReturnType<Engine['load']>>>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  readonly run: RunGraph = async (graph, input, count) => {
    const session = this.#sessions.get(graph) ?? (await this.#engine.load(graph, graph.name));
    this.#sessions.set(graph, session);
    const { name, shape } = graph.inputs[0]!;
    const outputs = await session.run({
      [name]: { data: input, shape: [count, ...shape.slice(1)] },
    });
    return new Map(Object.entries(outputs).map(([output, { data }]) => [output, data]));
  };

  async close(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.close()));
    this.#sessions.clear();
  }
}

/** The network's rows for these crops, one view's after the other's. */
export function inputsOf(model: Model, crops: readonly Uint8Array[]): Float32Array {
  const length = ROWS_PER_VIEW * model.manifest.crop.size ** 2;
  const out = new Float32Array(crops.length * length);
  crops.forEach((crop, i) => model.prepare(crop, out.subarray(i * length, (i + 1) * length)));
  return out;
}

/** The same in batches. */
export function batchesOf(model: Model, crops: readonly Uint8Array[]): Float32Array[] {
  return Array.from({ length: Math.ceil(crops.length / BATCH) }, (_, i) =>
    inputsOf(model, crops.slice(i * BATCH, (i + 1) * BATCH)),
  );
}
