import {
  add, apply, cross, multiply, norm, normalize, rotationAngleDeg, scale, subtract, transpose,
  type Mat3, type Vec3,
} from '../../core/geometry.js'; // prettier-ignore
import type { Face } from '../../core/types.js';
import { distanceToRay, triangulate, type Ray } from '../../calibration/index.js';

/** Where a camera stands: X_camera = rotation · X_world + translation (metres). */
export interface Placement {
  readonly rotation: Mat3;
  readonly translation: Vec3;
}

/** How far apart views of one head may lie, one standard deviation each. */
export interface Spread {
  /** Distance of a head from a camera's ray, metres. */
  readonly ray: number;
  /** Natural logarithm of measured over true distance: heads differ in size by about 10 %. */
  readonly logDepth: number;
  readonly angleDeg: number;
}

export const CALIBRATED_SPREAD: Spread = { ray: 0.05, logDepth: 0.18, angleDeg: 15 };
export const SELF_PLACED_SPREAD: Spread = { ray: 0.12, logDepth: 0.25, angleDeg: 18 };

/** 99.9 % of χ² with three degrees of freedom: what three honest deviations stay below. */
export const GATE = 16.3;

/** A face as the world sees it. */
export interface Observation {
  readonly face: Face;
  readonly ray: Ray;
  /** Distance from the camera, metres, as the metric face says. */
  readonly depth: number;
  readonly position: Vec3;
  /** Head to world. */
  readonly rotation: Mat3;
}

export function observe(face: Face, { rotation, translation }: Placement): Observation {
  const toWorld = transpose(rotation);
  const head = face.head.position;
  return {
    face,
    ray: {
      origin: apply(toWorld, scale(translation, -1)),
      direction: normalize(apply(toWorld, head)),
    },
    depth: norm(head),
    position: apply(toWorld, subtract(head, translation)),
    rotation: multiply(toWorld, face.head.rotation),
  };
}

/** How badly a face fits a head at this place looking this way; χ² of three deviations. */
export function misfit(
  { ray, depth, rotation }: Observation,
  position: Vec3,
  looking: Mat3,
  spread: Spread,
): number {
  const across = distanceToRay(position, ray) / spread.ray;
  const along = Math.log(norm(subtract(position, ray.origin)) / depth) / spread.logDepth;
  const turned = rotationAngleDeg(rotation, looking) / spread.angleDeg;
  return across * across + along * along + turned * turned;
}

/** Below this the rays say little about distance, and the metric face says more. */
const LEAST_SINE = Math.sin((8 * Math.PI) / 180);

/**
 * Where the observations' head is: the rays' meeting point, or the mean of what the single views say
 * where their rays are nearly parallel or there is only one.
 */
export function locate(observations: readonly Observation[]): Vec3 {
  const [first] = observations;
  const wide = observations.some(
    ({ ray }) => norm(cross(ray.direction, first!.ray.direction)) > LEAST_SINE,
  );
  const met = wide ? triangulate(observations.map(({ ray }) => ray)) : undefined;
  if (met !== undefined) return met;
  const sum = observations.reduce<Vec3>((total, { position }) => add(total, position), [0, 0, 0]);
  return scale(sum, 1 / observations.length);
}
