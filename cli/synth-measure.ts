import { createOnnxRuntime } from '../runtime/engine/onnxruntime.js';
import { FaceStage } from '../runtime/faces/faces.js';
import type { MeasureFace } from '../training/dataset/render.js';

/** The runtime's own faces stage as a measure of single pictures; one thread. */
export async function openMeasure(): Promise<{ measure: MeasureFace; close(): Promise<void> }> {
  const stage = await FaceStage.create({
    engine: createOnnxRuntime(1),
    detector: 'auto',
    maxFaces: 1,
  });
  let pictures = 0;
  const measure: MeasureFace = async (pixels, width, height) => {
    // A camera of its own a picture: nothing may be followed from one to the next.
    const cameraId = `picture-${String(pictures++)}`;
    const [face] = await stage.push([{ cameraId, capturedAtMs: 0, width, height, pixels }]);
    return face;
  };
  return { measure, close: () => stage.close() };
}
