import { writeOnnxInt8 } from '../encoder/formats/onnx-int8.js';
import type { Graph } from '../encoder/graph.js';
import type { Engine, Session, Tensor } from '../runtime/engine/engine.js';
import { lowerQuartile, rounded } from './bench-environment.js';
import { operationsOf, peakGraph, PEAK_OPERATIONS } from './bench-operations.js';

/** A plain matrix product in both precisions: what the processor reaches at best. */
export class Peak {
  readonly #sessions: readonly [float: Session, int8: Session];
  readonly #feeds: Readonly<Record<string, Tensor>>;

  private constructor(float: Session, int8: Session) {
    this.#sessions = [float, int8];
    const { name, shape } = peakGraph().graph.inputs[0]!;
    this.#feeds = {
      [name]: { data: new Float32Array(shape[0]! * shape[1]!).fill(0.5), shape },
    };
  }

  static async load(engine: Engine): Promise<Peak> {
    const product = peakGraph();
    return new Peak(
      await engine.load(product.graph, 'matrix product'),
      await engine.load(writeOnnxInt8(product), 'int8 matrix product'),
    );
  }

  /** Milliseconds of each. */
  async time(): Promise<[float: number, int8: number]> {
    const times: number[] = [];
    for (const session of this.#sessions) {
      const from = performance.now();
      await session.run(this.#feeds);
      times.push(performance.now() - from);
    }
    return times as [number, number];
  }

  async close(): Promise<void> {
    await Promise.all(this.#sessions.map((session) => session.close()));
  }
}

const WARM_UP = 5;
const PEAK_EVERY = 8;

/**
 * A network in both precisions and the peak, turn by turn; lower quartiles, so that what other
 * programs add to a run is mostly left out.
 */
export async function speedOf(
  graph: Graph,
  { float, int8 }: { readonly float: Session; readonly int8: Session },
  peak: Peak,
  input: Tensor,
  rounds: number,
) {
  const feeds = { [graph.inputs[0]!.name]: input };
  const times = { float: [] as number[], int8: [] as number[], peaks: [] as [number, number][] };
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const [kind, session] of [['float', float], ['int8', int8]] as const) {
      const from = performance.now();
      await session.run(feeds);
      if (round >= 0) times[kind].push(performance.now() - from);
    }
    if (round % PEAK_EVERY !== 0) continue;
    const both = await peak.time();
    if (round >= 0) times.peaks.push(both);
  } // prettier-ignore
  const [floatMs, int8Ms] = [lowerQuartile(times.float), lowerQuartile(times.int8)];
  const [peakFloat, peakInt8] = [0, 1].map((i) => PEAK_OPERATIONS / lowerQuartile(times.peaks.map((pair) => pair[i]!)) / 1e6) as [number, number]; // prettier-ignore
  const int8Gops = (operationsOf(graph) * input.shape[0]!) / int8Ms / 1e6;
  return {
    fp32Ms: rounded(floatMs),
    int8Ms: rounded(int8Ms),
    int8OverFp32: rounded(floatMs / int8Ms),
    int8Gops: rounded(int8Gops),
    int8PeakGops: rounded(peakInt8),
    /** What the processor itself allows: the ratio of the plain products. */
    peakInt8OverFp32: rounded(peakInt8 / peakFloat),
    shareOfInt8Peak: rounded(int8Gops / peakInt8),
  };
}
