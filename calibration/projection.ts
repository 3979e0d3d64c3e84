import { apply, normalize, subtract, transpose, type Vec3 } from '../core/geometry.js';
import type { CameraCalibration } from './rig.js';

export type Point2 = readonly [number, number];

/** A half line in the world: unit direction, origin in metres. */
export interface Ray {
  readonly origin: Vec3;
  readonly direction: Vec3;
}

/** Normalised image point to distorted one; OpenCV's model with k1 k2 p1 p2 k3. */
export function distort(
  [x, y]: Point2,
  [k1, k2, p1, p2, k3]: CameraCalibration['distortion'],
): Point2 {
  const r2 = x * x + y * y;
  const radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3));
  return [
    x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
    y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
  ];
}

const UNDISTORT_STEPS = 100;

/** Inverse of {@link distort} by fixed-point iteration, as OpenCV's undistortPoints does it. */
export function undistort(point: Point2, distortion: CameraCalibration['distortion']): Point2 {
  let [x, y] = point;
  for (let i = 0; i < UNDISTORT_STEPS; i++) {
    const [dx, dy] = distort([x, y], distortion);
    const [ex, ey] = [point[0] - dx, point[1] - dy];
    x += ex;
    y += ey;
    if (Math.abs(ex) + Math.abs(ey) < 1e-10) break;
  }
  return [x, y];
}

/** World point (metres) to pixel; undefined behind the camera. */
export function projectPoint(camera: CameraCalibration, world: Vec3): Point2 | undefined {
  const p = toCamera(camera, world);
  if (p[2] <= 1e-6) return undefined;
  const { fx, fy, cx, cy } = camera.matrix;
  const [x, y] = distort([p[0] / p[2], p[1] / p[2]], camera.distortion);
  return [fx * x + cx, fy * y + cy];
}

/** World point to this camera's frame, metres. */
export function toCamera(camera: CameraCalibration, world: Vec3): Vec3 {
  const p = apply(camera.rotation, world);
  const t = camera.translation;
  return [p[0] + t[0], p[1] + t[1], p[2] + t[2]];
}

/** Point in this camera's frame to the world, metres. */
export function toWorld(camera: CameraCalibration, point: Vec3): Vec3 {
  return apply(transpose(camera.rotation), subtract(point, camera.translation));
}

/** The ray on which everything lies that this camera sees at a pixel. */
export function pixelRay(camera: CameraCalibration, [u, v]: Point2): Ray {
  const { fx, fy, cx, cy } = camera.matrix;
  const [x, y] = undistort([(u - cx) / fx, (v - cy) / fy], camera.distortion);
  const direction = normalize(apply(transpose(camera.rotation), [x, y, 1]));
  return { origin: toWorld(camera, [0, 0, 0]), direction };
}
