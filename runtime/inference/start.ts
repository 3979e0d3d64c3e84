import { fileURLToPath } from 'node:url';
import type { RigCalibration } from '../../calibration/index.js';
import type { Config } from '../config.js';
import { InferenceThread } from './thread.js';

// Both lie where the package is built: chunks in dist/chunks, the worker and models beside them.
const WORKER = new URL('../inference-worker.js', import.meta.url);
export const DEFAULT_MODEL = fileURLToPath(new URL('../../models/clmex-small', import.meta.url));

/** A worker thread with the face models and the encoder, as the configuration says. */
export function startInference(
  config: Config,
  calibration: RigCalibration | undefined,
): Promise<InferenceThread> {
  return InferenceThread.start(WORKER, {
    engine: config.engine,
    model: config.model ?? DEFAULT_MODEL,
    faces: {
      detector: config.faces.detector,
      landmarks: config.faces.landmarks,
      maxFaces: config.subjects.max,
      calibration: calibration?.cameras,
    },
  });
}
