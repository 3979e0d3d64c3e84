import { apply, multiply, rotationFromVector, toDegrees, toRadians, type Mat3, type Vec3 } from '../../core/geometry.js'; // prettier-ignore
import type { Face, Head } from '../../core/types.js';
import type { CameraCalibration, RigCalibration } from '../../calibration/index.js';

/** Deterministic noise: a small linear congruential generator, normal by the central limit. */
export function noise(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return () => (uniform() + uniform() + uniform() + uniform() - 2) * Math.sqrt(3);
}

/** Cameras on an arc of `radius` metres around the world's origin, all looking at it; world y up. */
export function arc(anglesDeg: readonly number[], radius = 1.5): RigCalibration {
  const cameras: Record<string, CameraCalibration> = {};
  for (const [i, angle] of anglesDeg.entries()) {
    const turn = rotationFromVector([0, toRadians(-angle), 0]);
    // World x to the camera's right, y up to its −y, z towards it to its −z.
    const rotation = multiply([1, 0, 0, 0, -1, 0, 0, 0, -1], turn);
    cameras[`cam-${i}`] = {
      width: 1280,
      height: 720,
      matrix: { fx: 900, fy: 900, cx: 640, cy: 360 },
      distortion: [0, 0, 0, 0, 0],
      rotation: [...rotation],
      translation: [0, 0, radius],
    };
  }
  return { units: 'metres', cameras };
}

/** A head at `position` looking along +z turned by `yawDeg` about the world's up. */
export function headAt(position: Vec3, yawDeg = 0): Head {
  return { position, rotation: rotationFromVector([0, toRadians(yawDeg), 0]) };
}

export interface Seen {
  readonly trackId?: string;
  readonly capturedAtMs?: number;
  /** Standard normal numbers; none: exact measurements. */
  readonly random?: () => number;
  /** True size of the head over the canonical one: shifts every measured depth. */
  readonly headSize?: number;
}

/** The face a camera would measure of a head; the world's head axes are x left, y up, z out. */
export function faceOf(
  cameraId: string,
  camera: CameraCalibration,
  head: Head,
  seen: Seen = {},
): Face {
  const random = seen.random ?? ((): number => 0);
  const exact = apply(camera.rotation, head.position).map(
    (value, i) => value + camera.translation[i]!,
  ) as unknown as Vec3;
  const depth = (1 + 0.03 * random()) / (seen.headSize ?? 1);
  const place: Vec3 = [exact[0] * depth, exact[1] * depth, exact[2] * depth];
  const wobble = rotationFromVector([0.06 * random(), 0.06 * random(), 0.04 * random()]);
  const rotation: Mat3 = multiply(wobble, multiply(camera.rotation, head.rotation));
  const out = apply(rotation, [0, 0, 1]);
  return {
    cameraId,
    capturedAtMs: seen.capturedAtMs ?? 0,
    trackId: seen.trackId ?? '0',
    score: 0.95,
    box: { x: 0, y: 0, width: 100, height: 100 },
    landmarks: new Float32Array(0),
    pose: { yawDeg: toDegrees(Math.atan2(out[0], -out[2])), pitchDeg: 0, rollDeg: 0 },
    head: { rotation, position: place },
    quality: 0.9,
    crop: new Uint8Array(0),
  };
}
