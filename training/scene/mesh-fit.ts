import type { Vec3 } from '../../core/geometry.js';
import type { HeadModel } from './head-model.js';
import { LeastSquares } from './linear.js';
import type { ObjMesh } from './obj.js';
import { vertexNormals } from './shape.js';

/** A point on the head model: in a triangle, by barycentric weights. */
export interface MeshPoint {
  readonly vertices: readonly [number, number, number];
  readonly weights: readonly [number, number, number];
}

/** Similarity from MediaPipe's canonical face (cm) to the head model (cm), without rotation. */
export interface CanonicalPlace {
  readonly scale: number;
  readonly origin: Vec3;
}

/**
 * Pairs of the two meshes by the 68-point markup both are documented for: MediaPipe's vertex, the
 * head model's.
 */
const PAIRS: readonly (readonly [canonical: number, model: number])[] = [
  [152, 966], [70, 268], [63, 493], [105, 1914], [66, 2044], [107, 1401],
  [336, 3615], [296, 4240], [334, 4114], [293, 2734], [300, 2509],
  [168, 978], [197, 4527], [5, 4942], [4, 4857], [2, 1147], [97, 2075], [326, 4269],
  [33, 1507], [160, 1542], [158, 1537], [133, 1528], [153, 1518], [144, 1511],
  [362, 3742], [385, 3751], [387, 3756], [263, 3721], [373, 3725], [380, 3732],
  [61, 5708], [39, 5695], [37, 2081], [0, 0], [267, 4275], [269, 6200], [291, 6213],
  [405, 6346], [314, 6461], [17, 5518], [84, 5957], [181, 5841],
  [78, 5702], [82, 5711], [13, 5533], [312, 6216], [308, 6207], [317, 6470], [14, 5517], [87, 5966],
]; // prettier-ignore

/** Joints that hardly differ between the two mean faces: corners of eyes and mouth, nose base. */
const RIGID = new Set([33, 133, 362, 263, 61, 291, 2, 168]);

const point = (p: Float32Array, v: number): Vec3 => [p[3 * v]!, p[3 * v + 1]!, p[3 * v + 2]!];

/** Least squares over {@link RIGID}; both meshes are upright and symmetric, so nothing turns. */
export function placeCanonical(model: HeadModel, canonical: ObjMesh): CanonicalPlace {
  const system = new LeastSquares(4);
  for (const [from, to] of PAIRS) {
    if (!RIGID.has(from)) continue;
    const p = point(canonical.positions, from);
    const q = point(model.neutral, to);
    for (const k of [0, 1, 2] as const) {
      system.add([p[k], ...[0, 1, 2].map((axis) => Number(axis === k))], q[k], 1);
    }
  }
  const [scale, x, y, z] = system.solve(1e-9);
  return { scale: scale!, origin: [0 * x!, y!, z!] };
}

/**
 * For each of the 468 canonical points its place on the head model's skin: similarity, then a
 * smooth warp that brings the pairs together, then the nearest point of the surface that faces the
 * same way.
 */
export function fitMesh(model: HeadModel, canonical: ObjMesh): MeshPoint[] {
  const { scale, origin } = placeCanonical(model, canonical);
  const count = canonical.positions.length / 3;
  const placed = canonical.positions.map((value, i) => scale * value + origin[i % 3]!);
  warp(
    placed,
    PAIRS.map(([from, to]) => [point(placed, from), point(model.neutral, to)]),
  );
  const outward = vertexNormals(placed, canonical.parts.values());
  const surface = model.parts.get('M_Face')!;
  const normals = vertexNormals(model.neutral, model.parts.values());
  const exact = new Map(PAIRS);
  return Array.from({ length: count }, (_, i) => {
    const vertex = exact.get(i);
    if (vertex !== undefined) return { vertices: [vertex, vertex, vertex], weights: [1, 0, 0] };
    return nearest(model.neutral, surface, normals, point(placed, i), point(outward, i));
  });
}

const REACH_CM = 3;

function warp(points: Float32Array, pairs: readonly (readonly [Vec3, Vec3])[]): void {
  const bump = (a: Vec3, b: Vec3): number =>
    Math.exp(-((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2) / (2 * REACH_CM ** 2));
  const fields = ([0, 1, 2] as const).map((k) => {
    const system = new LeastSquares(pairs.length);
    for (const [from, to] of pairs) {
      system.add(
        pairs.map(([centre]) => bump(from, centre)),
        to[k] - from[k],
        1,
      );
    }
    return system.solve(0.02);
  });
  for (let v = 0; v < points.length / 3; v++) {
    const here = point(points, v);
    pairs.forEach(([centre], i) => {
      const share = bump(here, centre);
      for (let k = 0; k < 3; k++) points[3 * v + k]! += share * fields[k]![i]!;
    });
  }
}

function nearest(
  positions: Float32Array,
  triangles: Uint32Array,
  normals: Float32Array,
  target: Vec3,
  facing: Vec3,
): MeshPoint {
  let best = Infinity;
  let found: MeshPoint = { vertices: [0, 0, 0], weights: [1, 0, 0] };
  for (let t = 0; t < triangles.length; t += 3) {
    const vertices = [triangles[t]!, triangles[t + 1]!, triangles[t + 2]!] as const;
    const n = 3 * vertices[0];
    const agreement =
      normals[n]! * facing[0] + normals[n + 1]! * facing[1] + normals[n + 2]! * facing[2];
    if (agreement < 0.4) continue;
    const [a, b, c] = vertices.map((v) => point(positions, v)) as [Vec3, Vec3, Vec3];
    if (Math.abs(a[0] - target[0]) > 2 || Math.abs(a[1] - target[1]) > 2) continue;
    const weights = closest(a, b, c, target);
    const distance = [0, 1, 2].reduce((sum, k) => {
      const i = k as 0 | 1 | 2;
      return sum + (weights[0] * a[i] + weights[1] * b[i] + weights[2] * c[i] - target[i]) ** 2;
    }, 0);
    if (distance < best) {
      best = distance;
      found = { vertices, weights };
    }
  }
  return found;
}

/** Barycentric weights of the triangle's point nearest to p, by projection and clamping. */
function closest(a: Vec3, b: Vec3, c: Vec3, p: Vec3): [number, number, number] {
  const system = new LeastSquares(2);
  for (const k of [0, 1, 2] as const) system.add([b[k] - a[k], c[k] - a[k]], p[k] - a[k], 1);
  const solved = system.solve(1e-9);
  const u = Math.max(0, solved[0]!);
  const v = Math.max(0, solved[1]!);
  const sum = Math.max(1, u + v);
  return [1 - (u + v) / sum, u / sum, v / sum];
}
