import type { CameraCalibration } from '../../calibration/index.js';
import { apply, scale, transpose, type Mat3 } from '../../core/geometry.js';

/** Where a camera stands in the world, as Foxglove's FrameTransform has it (camera to world). */
export function cameraTransform(camera: CameraCalibration): {
  translation: { x: number; y: number; z: number };
  rotation: { x: number; y: number; z: number; w: number };
} {
  const toWorld = transpose(camera.rotation);
  const [x, y, z] = scale(apply(toWorld, camera.translation), -1);
  return { translation: { x, y, z }, rotation: quaternion(toWorld) };
}

/** Unit quaternion of a rotation matrix; the largest component first, so that nothing cancels. */
function quaternion(m: Mat3): { x: number; y: number; z: number; w: number } {
  const [xx, , , , yy, , , , zz] = m;
  const squares = [1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz, 1 + xx + yy + zz];
  const largest = squares.indexOf(Math.max(...squares));
  const size = Math.sqrt(squares[largest]!) / 2;
  const rest = 4 * size;
  const wx = (m[7] - m[5]) / rest;
  const wy = (m[2] - m[6]) / rest;
  const wz = (m[3] - m[1]) / rest;
  const xy = (m[1] + m[3]) / rest;
  const xz = (m[2] + m[6]) / rest;
  const yz = (m[5] + m[7]) / rest;
  if (largest === 0) return { x: size, y: xy, z: xz, w: wx };
  if (largest === 1) return { x: xy, y: size, z: yz, w: wy };
  if (largest === 2) return { x: xz, y: yz, z: size, w: wz };
  return { x: wx, y: wy, z: wz, w: size };
}
