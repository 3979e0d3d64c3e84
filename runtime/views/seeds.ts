import { apply, multiply, toDegrees, type Mat3, type Vec3 } from '../../core/geometry.js';
import type { Head, ViewGroup } from '../../core/types.js';
import {
  projectPoint, toCamera, type CameraCalibration, type RigCalibration,
} from '../../calibration/index.js'; // prettier-ignore
import type { FaceSeed } from '../inference/inference.js';

/** Chin to forehead of an adult, metres; a round number: the landmark model corrects the rest. */
const FACE_HEIGHT = 0.18;
/** Past this yaw the landmark model sees an ear instead of a face. */
const LARGEST_YAW_DEG = 90;

/**
 * Where a head seen by at least two calibrated cameras must be in the others: places for the
 * landmark model to try where the detector sees nothing (profiles, occlusion).
 */
export function seedsFor(
  groups: readonly ViewGroup[],
  cameraIds: Iterable<string>,
  calibration: RigCalibration | undefined,
): FaceSeed[] {
  if (calibration === undefined) return [];
  const cameras = [...cameraIds];
  return groups.flatMap(({ head, faces }) => {
    if (head === undefined || faces.length < 2) return [];
    const seen = new Set(faces.map(({ cameraId }) => cameraId));
    return cameras
      .filter((id) => !seen.has(id))
      .flatMap((id) => seedIn(id, calibration.cameras[id], head));
  });
}

function seedIn(cameraId: string, camera: CameraCalibration | undefined, head: Head): FaceSeed[] {
  if (camera === undefined) return [];
  const place = toCamera(camera, head.position);
  const at = projectPoint(camera, head.position);
  if (at === undefined || place[2] <= 0) return [];
  const [x, y] = at;
  if (x < 0 || y < 0 || x >= camera.width || y >= camera.height) return [];
  const turned: Mat3 = multiply(camera.rotation, head.rotation);
  const out = apply(turned, [0, 0, 1]);
  if (toDegrees(Math.atan2(Math.abs(out[0]), -out[2])) > LARGEST_YAW_DEG) return [];
  const up: Vec3 = apply(turned, [0, 1, 0]);
  const focal = (camera.matrix.fx + camera.matrix.fy) / 2;
  return [
    {
      cameraId,
      x,
      y,
      sizePx: (focal * FACE_HEIGHT) / place[2],
      rollDeg: toDegrees(Math.atan2(up[0], -up[1])),
    },
  ];
}
