import type { CameraCalibration } from '../../calibration/rig.js';
import {
  add,
  apply,
  cross,
  dot,
  multiply,
  normalize,
  scale,
  toDegrees,
  type Mat3,
  type Vec3,
} from '../../core/geometry.js';
import type { Head, HeadPose } from '../../core/types.js';
import { headInCamera, projectVertices } from './camera.js';
import { MODEL_UNIT } from './head.js';
import { CANONICAL_ORIGIN, meshPoints } from './mesh468.js';

/** Where one head is in one picture. */
export interface HeadTruth {
  /** In the camera's frame, as core's Face.head. */
  readonly head: Head;
  /** As core's HeadPose: zero where the face looks straight into the camera. */
  readonly pose: HeadPose;
  /**
   * 468 × 3: x, y in pixels, a pixel's centre at +0.5 as in core's Face; z = depth relative to the
   * head's origin in the same scale.
   */
  readonly landmarks: Float32Array;
}

/** The truth about a drawn head: `place` of the model's origin in the world, its deformed vertices. */
export function headTruth(
  camera: CameraCalibration,
  place: Head,
  positions: Float32Array,
): HeadTruth {
  const model = headInCamera(camera, place);
  const origin = scale(CANONICAL_ORIGIN, MODEL_UNIT);
  const head = {
    rotation: model.rotation,
    position: add(model.position, apply(model.rotation, origin)),
  };
  const points = meshPoints(positions);
  const screen = projectVertices(camera, place, points, MODEL_UNIT, 1);
  const landmarks = new Float32Array(points.length);
  for (let i = 0; i < points.length; i += 3) {
    landmarks[i] = screen[i]!;
    landmarks[i + 1] = screen[i + 1]!;
    const depth = 1 / screen[i + 2]!;
    landmarks[i + 2] = ((depth - head.position[2]) * camera.matrix.fx) / head.position[2];
  }
  return { head, pose: poseOf(head), landmarks };
}

/**
 * Yaw, pitch and roll of a head relative to the line on which the camera sees it: a face that looks
 * into the camera is at zero wherever it stands in the picture.
 */
export function poseOf({ rotation, position }: Head): HeadPose {
  const forward = normalize(position);
  const right = normalize(cross([0, 1, 0], forward));
  const down = cross(forward, right);
  const view: Mat3 = [...right, ...down, ...forward] as unknown as Mat3;
  const seen = multiply(view, rotation);
  const nose: Vec3 = [seen[2], seen[5], seen[8]]; // x right, y down, z away
  const yaw = Math.atan2(nose[0], -nose[2]);
  const pitch = Math.asin(Math.max(-1, Math.min(1, -nose[1])));
  const top: Vec3 = [seen[1], seen[4], seen[7]];
  // Roll is measured about the nose: against the upright direction square to it.
  const level = normalize(cross(nose, [0, -1, 0]));
  const upright = cross(level, nose);
  const roll = Math.atan2(-dot(top, level), dot(top, upright));
  return { yawDeg: toDegrees(yaw), pitchDeg: toDegrees(pitch), rollDeg: toDegrees(roll) };
}
