import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { readFaceGeometry, type FaceGeometry } from '../../runtime/faces/geometry.js';

/** MediaPipe's face at rest, as its landmark model's package holds it. */
export async function canonicalFace(): Promise<FaceGeometry> {
  const manifest = createRequire(import.meta.url).resolve('@mediapipe/face_mesh/package.json');
  const packed = await readFile(
    manifest.replace('package.json', 'face_mesh_solution_packed_assets.data'),
  );
  return readFaceGeometry(packed.subarray(3_737_848, 3_757_224));
}
