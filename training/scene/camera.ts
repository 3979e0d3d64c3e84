import {
  add,
  apply,
  cross,
  multiply,
  normalize,
  subtract,
  type Vec3,
} from '../../core/geometry.js';
import type { Head } from '../../core/types.js';
import type { CameraCalibration } from '../../calibration/rig.js';

export interface CameraPlace {
  /** Where the camera stands and what it looks at; metres, world axes with y up. */
  readonly position: Vec3;
  readonly target: Vec3;
  readonly width: number;
  readonly height: number;
  readonly horizontalFieldDeg: number;
  readonly distortion?: CameraCalibration['distortion'];
  /** Turn about the optical axis, degrees. */
  readonly rollDeg?: number;
}

/** A pinhole camera that looks from one point at another, the world's y up in its pictures. */
export function placeCamera(place: CameraPlace): CameraCalibration {
  const forward = normalize(subtract(place.target, place.position));
  const level = normalize(cross(forward, [0, 1, 0]));
  const roll = ((place.rollDeg ?? 0) * Math.PI) / 180;
  const flatDown = cross(forward, level);
  const turn = (a: Vec3, b: Vec3, c: number, s: number): Vec3 => [
    c * a[0] + s * b[0],
    c * a[1] + s * b[1],
    c * a[2] + s * b[2],
  ];
  const right = turn(level, flatDown, Math.cos(roll), Math.sin(roll));
  const down = cross(forward, right);
  const rotation = [...right, ...down, ...forward] as unknown as CameraCalibration['rotation'];
  const t = apply(rotation, place.position);
  const focal = place.width / 2 / Math.tan((place.horizontalFieldDeg * Math.PI) / 360);
  return {
    width: place.width,
    height: place.height,
    matrix: { fx: focal, fy: focal, cx: (place.width - 1) / 2, cy: (place.height - 1) / 2 },
    distortion: place.distortion ?? [0, 0, 0, 0, 0],
    rotation,
    translation: [-t[0], -t[1], -t[2]],
  };
}

/** A head's place in the world to its place in a camera's frame. */
export function headInCamera(camera: CameraCalibration, { rotation, position }: Head): Head {
  return {
    rotation: multiply(camera.rotation, rotation),
    position: add(apply(camera.rotation, position), camera.translation),
  };
}

/**
 * Projects vertices that stand at `place` (vertex units × `unit` = metres) to x, y in samples and
 * 1 / depth. `samplesPerPixel`: supersampling, a pixel's centre lying at a whole number of pixels.
 */
export function projectVertices(
  camera: CameraCalibration,
  place: Head,
  vertices: Float32Array,
  unit: number,
  samplesPerPixel: number,
  out: Float32Array = new Float32Array(vertices.length),
): Float32Array {
  const { rotation: r, position: t } = headInCamera(camera, place);
  const { fx, fy, cx, cy } = camera.matrix;
  const [k1, k2, p1, p2, k3] = camera.distortion;
  for (let i = 0; i < vertices.length; i += 3) {
    const x = vertices[i]! * unit;
    const y = vertices[i + 1]! * unit;
    const z = vertices[i + 2]! * unit;
    const inverse = 1 / (r[6] * x + r[7] * y + r[8] * z + t[2]);
    if (!(inverse > 0) || inverse > 100) {
      out[i + 2] = 0;
      continue;
    }
    const u = (r[0] * x + r[1] * y + r[2] * z + t[0]) * inverse;
    const v = (r[3] * x + r[4] * y + r[5] * z + t[1]) * inverse;
    const r2 = u * u + v * v;
    const radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3));
    const du = u * radial + 2 * p1 * u * v + p2 * (r2 + 2 * u * u);
    const dv = v * radial + p1 * (r2 + 2 * v * v) + 2 * p2 * u * v;
    out[i] = (fx * du + cx + 0.5) * samplesPerPixel;
    out[i + 1] = (fy * dv + cy + 0.5) * samplesPerPixel;
    out[i + 2] = inverse;
  }
  return out;
}
