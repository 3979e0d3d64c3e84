import { cropNormalizer, DEFAULT_MASK } from '../../../encoder/normalize.js';
import { Random } from '../../../encoder/random.js';
import type { RunGraph } from '../../../encoder/quantise/observe.js';
import type { Engine } from '../../../runtime/engine/engine.js';

const SIDE = 64;

/** Crops with the smooth structure of a face: a bright oval, dark eyes and mouth, light from a side. */
export function faceLikeCrops(count: number, seed: number): Uint8Array[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => {
    const [gx, gy, open, tilt] = [
      random.normal(),
      random.normal(),
      random.uniform(),
      random.normal(),
    ];
    const shade = 90 + 60 * random.uniform();
    const blobs = [[20, 22], [44, 22], [32, 48 + 4 * open]] as const; // prettier-ignore
    return Uint8Array.from({ length: SIDE * SIDE }, (_, i) => {
      const [x, y] = [i % SIDE, Math.floor(i / SIDE)];
      let value = shade + gx * (x - 32) + gy * (y - 32);
      for (const [bx, by] of blobs) {
        const distance = ((x - bx - tilt) / 6) ** 2 + ((y - by) / (3 + 3 * open)) ** 2;
        value -= 60 * Math.exp(-distance);
      }
      return Math.max(0, Math.min(255, value + 4 * random.normal()));
    });
  });
}

/** The network's input for these crops, one after the other. */
export function inputsOf(crops: readonly Uint8Array[]): Float32Array {
  const normalize = cropNormalizer(SIDE, DEFAULT_MASK);
  const area = SIDE * SIDE;
  const out = new Float32Array(crops.length * area);
  crops.forEach((crop, i) => normalize(crop, out.subarray(i * area, (i + 1) * area)));
  return out;
}

/** Runs graphs in float on an engine, as calibration needs. */
export function runOn(engine: Engine): RunGraph {
  return async (graph, input, count) => {
    const session = await engine.load(graph, graph.name);
    const { name, shape } = graph.inputs[0]!;
    try {
      const outputs = await session.run({
        [name]: { data: input, shape: [count, ...shape.slice(1)] },
      });
      return new Map(Object.entries(outputs).map(([key, { data }]) => [key, data]));
    } finally {
      await session.close();
    }
  };
}
