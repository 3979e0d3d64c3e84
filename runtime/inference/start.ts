import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { RigCalibration } from '../../calibration/index.js';
import type { Config } from '../config.js';
import { blankView } from '../embed/embed.js';
import { InferenceThreads } from './threads.js';

// Both lie where the package is built: chunks in dist/chunks, the worker and models beside them.
const WORKER = new URL('../inference-worker.js', import.meta.url);
export const DEFAULT_MODEL = fileURLToPath(new URL('../../models/clmex-small', import.meta.url));

/** More than this many threads of networks leave nothing for decoding on most machines. */
const MOST_THREADS = 4;

/**
 * Worker threads with the face models and the encoder, as the configuration says: cameras are shared
 * out among `engine.threads`, and where there are fewer cameras than threads, operators are divided.
 */
export function startInference(
  config: Config,
  calibration: RigCalibration | undefined,
): Promise<InferenceThreads> {
  const threads = config.engine.threads ?? Math.min(MOST_THREADS, availableParallelism());
  // A device runs one network at a time, and each thread would hold its own copy there.
  const count = config.engine.provider === 'cpu' ? Math.min(threads, config.cameras.length) : 1;
  const options = {
    engine: { ...config.engine, threads: Math.floor(threads / count) },
    model: config.model ?? DEFAULT_MODEL,
    faces: {
      detector: config.faces.detector,
      landmarks: config.faces.landmarks,
      maxFaces: config.subjects.max,
      calibration: calibration?.cameras,
    },
  };
  return InferenceThreads.start(WORKER, options, count);
}

/**
 * Proves that networks run here: loads them as the runtime would and runs each once.
 * @returns what ran, for people.
 */
export async function proveInference(config: Config): Promise<string> {
  const started = performance.now();
  const inference = await startInference(config, undefined);
  try {
    const width = 320;
    const height = 240;
    const pixels = new Uint8Array(new SharedArrayBuffer(width * height * 3));
    await inference.faces([{ cameraId: 'probe', capturedAtMs: 0, width, height, pixels }], []);
    const { engine, model, cropSize } = inference.info;
    await inference.embed([blankView(cropSize)]);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    return `${engine} ran the face models and ${model} (${seconds} s from cold)`;
  } finally {
    await inference.close();
  }
}
