import { nearestRotation, type Mat3, type Vec3 } from '../core/geometry.js';

/** Mesh points that bone holds in place: eye corners, nose, forehead, temples. They alone align a face. */
export const RIGID: readonly number[] = [33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 129, 358, 10, 151, 9, 8, 234, 454, 127, 356, 21, 251, 117, 346]; // prettier-ignore

/** @param mesh N × 3, in the unit of what was laid onto the other. */
export function applySimilarity(similarity: Similarity, mesh: Float32Array): Float32Array {
  const out = new Float32Array(mesh.length);
  for (let index = 0; 3 * index < out.length; index++)
    place(mesh, index, similarity, out, 3 * index);
  return out;
}

/** y = scale · rotation · (x − from) + to */
export interface Similarity {
  readonly rotation: Mat3;
  readonly scale: number;
  readonly from: Vec3;
  readonly to: Vec3;
}

/** Where a point of the mesh begins. */
const meshAt = (index: number): number => 3 * index;

/**
 * The similarity that lays what bone holds in place in one mesh nearest to another's (Umeyama 1991).
 * @param mesh and @param onto N × 3 of the 468- or 478-point mesh, each in one scale.
 * @param placeOnto where a point of the mesh begins in `onto`, where that has others than the mesh.
 * @returns undefined where the points span no space.
 */
export function alignMeshes(
  mesh: Float32Array,
  onto: Float32Array,
  placeOnto: (index: number) => number = meshAt,
): Similarity | undefined {
  const [from, to] = [centre(mesh, meshAt), centre(onto, placeOnto)];
  const sum = new Float64Array(9);
  let spread = 0;
  for (const index of RIGID) {
    for (let r = 0; r < 3; r++) {
      const seen = mesh[meshAt(index) + r]! - from[r]!;
      spread += seen * seen;
      for (let c = 0; c < 3; c++) sum[3 * c + r]! += seen * (onto[placeOnto(index) + c]! - to[c]!);
    }
  }
  const size = Math.hypot(...sum);
  if (!(spread > 0) || !(size > 0) || !Number.isFinite(size)) return undefined;
  const rotation = nearestRotation(sum.map((value) => value / size) as unknown as Mat3);
  if (rotation === undefined) return undefined;
  let trace = 0;
  for (let i = 0; i < 9; i++) trace += rotation[i]! * sum[i]!;
  return { rotation, scale: trace / spread, from, to };
}

function centre(points: Float32Array, placeOf: (at: number) => number): Vec3 {
  const mean: [number, number, number] = [0, 0, 0];
  for (const index of RIGID)
    for (let k = 0; k < 3; k++) mean[k]! += points[placeOf(index) + k]! / RIGID.length;
  return mean;
}

/** Where a similarity takes a point: three numbers at `at` of `out`. */
export function place(
  mesh: Float32Array,
  index: number,
  { rotation: m, scale, from, to }: Similarity,
  out: Float32Array,
  at: number,
): void {
  const i = 3 * index;
  const [x, y, z] = [mesh[i]! - from[0], mesh[i + 1]! - from[1], mesh[i + 2]! - from[2]];
  for (let r = 0; r < 3; r++) {
    const turned = m[3 * r]! * x + m[3 * r + 1]! * y + m[3 * r + 2]! * z;
    out[at + r] = scale * turned + to[r]!;
  }
}
