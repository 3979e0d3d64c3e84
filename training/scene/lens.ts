import type { CameraCalibration } from '../../calibration/rig.js';
import { apply, dot, normalize, subtract, transpose, type Vec3 } from '../../core/geometry.js';
import type { Head } from '../../core/types.js';
import { radianceFrom, type Environment } from './light.js';
import { loft, type Point } from './loft.js';
import type { Random } from './random.js';

/** What sits in a frame of spectacles: glass that shows the room; centimetres, head axes. */
export interface Lenses {
  readonly positions: Float32Array;
  /** Unit vectors a vertex, forwards. */
  readonly normals: Float32Array;
  readonly triangles: Uint32Array;
  /** Share of the light that comes back, 0–1. */
  readonly reflectance: number;
}

/** A fan of rings within this rim, fine enough for a lamp's mirror image. */
const RINGS = 9;
/** Radius of the outer face: base curves of 4 to 8 dioptres at an index of 1.53, (n − 1) / D. */
const RADIUS_CM = [6.6, 13.2] as const;
/** Lower edges stand nearer to the cheeks (pantoscopic tilt), outer ones further back (wrap); slopes of the normal. */
const [TILT, WRAP] = [0.15, 0.1];
/** Both faces: 4 % each of plain glass or plastic, under 1 % with a coating. */
const REFLECTANCE = [0.01, 0.09] as const;

/** @param rims closed lines about each eye, the person's right and left. */
export function makeLenses(rims: readonly (readonly Point[])[], random: Random): Lenses {
  const positions: number[] = [];
  const triangles: number[] = [];
  const normals: number[] = [];
  const radius = random.uniform(...RADIUS_CM);
  for (const rim of rims) {
    const centre = [0, 1, 2].map(
      (k) => rim.reduce((sum, point) => sum + point[k]!, 0) / rim.length,
    ) as [number, number, number];
    const side = Math.sign(centre[0]);
    const rings = Array.from({ length: RINGS + 1 }, (_, ring) =>
      rim.map(([x, y, z]): Point => {
        const share = ring / RINGS;
        return [
          centre[0] + share * (x - centre[0]),
          centre[1] + share * (y - centre[1]),
          centre[2] + share * (z - centre[2]) - 0.05,
        ];
      }),
    );
    loft(rings, positions, triangles);
    for (const [x, y] of rings.flat()) {
      const slope: Vec3 = [
        (x - centre[0]) / radius + side * WRAP,
        (y - centre[1]) / radius - TILT,
        1,
      ];
      normals.push(...normalize(slope));
    }
  }
  return {
    positions: Float32Array.from(positions),
    normals: Float32Array.from(normals),
    triangles: Uint32Array.from(triangles),
    reflectance: random.uniform(...REFLECTANCE),
  };
}

/**
 * Linear RGB that each vertex mirrors into a camera: the room's light from where the line of sight
 * goes after the glass.
 * @param unit metres of a centimetre of the head.
 */
export function mirrored(
  { positions, normals }: Lenses,
  environment: Environment,
  { rotation, position }: Head,
  camera: CameraCalibration,
  unit: number,
): Float32Array {
  const out = new Float32Array(positions.length);
  const seen = apply(transpose(camera.rotation), camera.translation);
  // In head axes everything but the light's directions stays as it is.
  const away = subtract([-seen[0], -seen[1], -seen[2]], position);
  const eye = apply(transpose(rotation), away);
  for (let i = 0; i < positions.length; i += 3) {
    const n: Vec3 = [normals[i]!, normals[i + 1]!, normals[i + 2]!];
    const to = normalize(
      subtract(eye, [positions[i]! * unit, positions[i + 1]! * unit, positions[i + 2]! * unit]),
    );
    const twice = 2 * dot(n, to);
    const from: Vec3 = [twice * n[0] - to[0], twice * n[1] - to[1], twice * n[2] - to[2]];
    out.set(radianceFrom(environment, apply(rotation, from)), i);
  }
  return out;
}
