import { ClmexError } from '../core/errors.js';
import { createOnnxRuntime } from '../runtime/engine/onnxruntime.js';
import { loadFaceModels } from '../runtime/faces/models.js';
import type { ReadBlendshapes } from '../training/index.js';

/** The blendshape model of a face_landmarker.task file as a teacher; one thread. */
export async function openBlendshapes(
  task: string,
): Promise<{ readonly read: ReadBlendshapes; close(): Promise<void> }> {
  const options = { engine: createOnnxRuntime(1), landmarks: task, ranges: [] };
  const models = await loadFaceModels(options).catch((error: unknown) => {
    throw error instanceof ClmexError && error.field === 'landmarks'
      ? error.of('--blendshapes')
      : error;
  });
  const { blendshapes } = models;
  if (blendshapes === undefined) {
    await models.close();
    throw new ClmexError('model-invalid', 'the .task file holds no blendshape model', {
      field: '--blendshapes',
      value: task,
      allowed: 'face_landmarker.task with face_blendshapes.tflite in it',
    });
  }
  return { read: (landmarks) => blendshapes.of(landmarks), close: () => models.close() };
}
