import { add, cross, dot, norm, scale, subtract, type Vec3 } from '../core/geometry.js';
import type { Ray } from './projection.js';

/**
 * The point with the least sum of squared distances to the rays' lines (normal equations of
 * Σ (I − d dᵀ)(x − o)); undefined where the rays are (nearly) parallel or fewer than two.
 */
export function triangulate(rays: readonly Ray[]): Vec3 | undefined {
  if (rays.length < 2) return undefined;
  let [xx, xy, xz, yy, yz, zz] = [0, 0, 0, 0, 0, 0];
  let right: Vec3 = [0, 0, 0];
  for (const { origin, direction: d } of rays) {
    xx += 1 - d[0] * d[0];
    yy += 1 - d[1] * d[1];
    zz += 1 - d[2] * d[2];
    xy -= d[0] * d[1];
    xz -= d[0] * d[2];
    yz -= d[1] * d[2];
    right = add(right, subtract(origin, scale(d, dot(origin, d))));
  }
  return solveSymmetric([xx, xy, xz, yy, yz, zz], right);
}

/** Cramer's rule on a symmetric 3 × 3 system given by its upper triangle. */
function solveSymmetric(
  [xx, xy, xz, yy, yz, zz]: readonly [number, number, number, number, number, number],
  right: Vec3,
): Vec3 | undefined {
  const [a, b, c]: Vec3[] = [
    [xx, xy, xz],
    [xy, yy, yz],
    [xz, yz, zz],
  ];
  const determinant = dot(a!, cross(b!, c!));
  if (Math.abs(determinant) < 1e-9) return undefined;
  const inverse = (u: Vec3, v: Vec3): number => dot(right, cross(u, v)) / determinant;
  return [inverse(b!, c!), inverse(c!, a!), inverse(a!, b!)];
}

/** Distance in metres from a point to the ray's half line. */
export function distanceToRay(point: Vec3, { origin, direction }: Ray): number {
  const offset = subtract(point, origin);
  const along = Math.max(0, dot(offset, direction));
  return norm(subtract(offset, scale(direction, along)));
}

/** Shortest distance in metres between two rays' lines. */
export function rayDistance(a: Ray, b: Ray): number {
  const between = subtract(b.origin, a.origin);
  const normal = cross(a.direction, b.direction);
  const length = norm(normal);
  if (length < 1e-9) return norm(subtract(between, scale(a.direction, dot(between, a.direction))));
  return Math.abs(dot(between, normal)) / length;
}
