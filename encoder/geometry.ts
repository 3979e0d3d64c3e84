import { nearestRotation, type Mat3, type Vec3 } from '../core/geometry.js';
import type { Weights } from './graph.js';

/**
 * The encoder's second input: where the landmarks of a face lie, turned to look straight ahead, at
 * one scale. Pixels say what a face looks like, the mesh says how it is bent; each sees some
 * expressions better than the other.
 */

/** Mesh points in the plane of symmetry: lips, nose, chin, forehead. */
const MIDDLE = [0, 13, 14, 17, 18, 1, 2, 4, 5, 195, 197, 6, 168, 8, 9, 10, 151, 152, 175, 199, 200];

/** Mesh points that mirror each other: the person's right, then left. */
const MIRRORED: readonly (readonly [right: number, left: number])[] = [
  // Lips, outer and inner line.
  [61, 291], [146, 375], [91, 321], [181, 405], [84, 314], [185, 409], [40, 270], [39, 269], [37, 267],
  [78, 308], [95, 324], [88, 318], [178, 402], [87, 317], [191, 415], [80, 310], [81, 311], [82, 312],
  // Eyes.
  [33, 263], [7, 249], [163, 390], [144, 373], [145, 374], [153, 380], [154, 381], [155, 382],
  [133, 362], [173, 398], [157, 384], [158, 385], [159, 386], [160, 387], [161, 388], [246, 466],
  // Brows.
  [46, 276], [53, 283], [52, 282], [65, 295], [55, 285], [70, 300], [63, 293], [105, 334], [66, 296], [107, 336],
  // Nose, cheeks and the folds between.
  [98, 327], [129, 358], [64, 294], [48, 278], [50, 280], [205, 425], [187, 411], [36, 266], [101, 330],
  [117, 346], [118, 347], [206, 426], [203, 423], [216, 436], [212, 432],
  // Jaw and outline.
  [83, 313], [202, 422], [204, 424], [148, 377], [176, 400], [150, 379], [172, 397], [58, 288],
  [132, 361], [234, 454], [127, 356], [21, 251],
]; // prettier-ignore

/** Indices into the 468- or 478-point mesh: the middle, all right points, all left points. */
export const GEOMETRY_POINTS: readonly number[] = [
  ...MIDDLE,
  ...MIRRORED.map(([right]) => right),
  ...MIRRORED.map(([, left]) => left),
];

/** x, y, z a point, then the sine of yaw and pitch. */
export const GEOMETRY_FEATURES = 3 * GEOMETRY_POINTS.length + 2;

/** Points that bone holds in place: eye corners, nose, forehead, temples. They alone align the face. */
const RIGID = new Set([33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 129, 358, 10, 151, 9, 8, 234, 454, 127, 356, 21, 251, 117, 346]); // prettier-ignore
const RIGID_AT = GEOMETRY_POINTS.flatMap((index, at) => (RIGID.has(index) ? [at] : []));

/** Dense layer with its weights: [in, out] and [out]. */
export interface GeometryLayer {
  readonly kernel: Weights;
  readonly bias: Weights;
}

/** Trained numbers of the geometry stream. */
export interface Geometry {
  /** [points, 3]: the mean face that landmarks are aligned to. */
  readonly reference: Weights;
  /** [features]: mean and deviation over the training faces. */
  readonly mean: Weights;
  readonly deviation: Weights;
  readonly hidden: GeometryLayer;
  readonly project: GeometryLayer;
  /** 0–1: its share of the squared length of the embedding. */
  readonly share: number;
}

/**
 * Aligns the landmarks with the reference by the similarity of the rigid points (Umeyama 1991) and
 * writes positions and turn into `out`. Zeros where the points have no extent.
 * @param landmarks N × 3 of the 468- or 478-point mesh, x and y in pixels, z in the same scale.
 * @param reference [points, 3], in any unit.
 * @param out {@link GEOMETRY_FEATURES} numbers.
 */
export function describeGeometry(
  landmarks: Float32Array,
  reference: Float32Array,
  out: Float32Array,
): void {
  out.fill(0);
  const similarity = rigidSimilarity(landmarks, meshAt, reference, referenceAt);
  if (similarity === undefined) return;
  GEOMETRY_POINTS.forEach((index, at) => place(landmarks, index, similarity, out, 3 * at));
  out[GEOMETRY_FEATURES - 2] = similarity.rotation[2];
  out[GEOMETRY_FEATURES - 1] = similarity.rotation[5];
}

/**
 * The similarity that lays what bone holds in place in one mesh nearest to another's.
 * @param landmarks and @param onto N × 3 of the 468- or 478-point mesh, each in one scale.
 * @returns undefined where the points span no space.
 */
export function alignMeshes(landmarks: Float32Array, onto: Float32Array): Similarity | undefined {
  return rigidSimilarity(landmarks, meshAt, onto, meshAt);
}

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

const meshAt = (at: number): number => 3 * GEOMETRY_POINTS[at]!;
const referenceAt = (at: number): number => 3 * at;

/**
 * Of the rigid points (Umeyama 1991); undefined where they span no space.
 * @param placeFrom and @param placeTo where each of GEOMETRY_POINTS begins.
 */
function rigidSimilarity(
  given: Float32Array,
  placeFrom: (at: number) => number,
  onto: Float32Array,
  placeTo: (at: number) => number,
): Similarity | undefined {
  const [from, to] = [centre(given, placeFrom), centre(onto, placeTo)];
  const sum = new Float64Array(9);
  let spread = 0;
  for (const at of RIGID_AT) {
    for (let r = 0; r < 3; r++) {
      const seen = given[placeFrom(at) + r]! - from[r]!;
      spread += seen * seen;
      for (let c = 0; c < 3; c++) sum[3 * c + r]! += seen * (onto[placeTo(at) + c]! - to[c]!);
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
  for (const at of RIGID_AT)
    for (let k = 0; k < 3; k++) mean[k]! += points[placeOf(at) + k]! / RIGID_AT.length;
  return mean;
}

function place(
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

/** The features of the mirrored face; mirroring twice changes nothing. */
export function mirrorGeometry(features: Float32Array): Float32Array {
  const out = new Float32Array(features.length);
  GEOMETRY_POINTS.forEach((_, at) => {
    const source = 3 * mirrorOf(at);
    out[3 * at] = -features[source]!;
    out[3 * at + 1] = features[source + 1]!;
    out[3 * at + 2] = features[source + 2]!;
  });
  out[GEOMETRY_FEATURES - 2] = -features[GEOMETRY_FEATURES - 2]!;
  out[GEOMETRY_FEATURES - 1] = features[GEOMETRY_FEATURES - 1]!;
  return out;
}

function mirrorOf(at: number): number {
  if (at < MIDDLE.length) return at;
  return at < MIDDLE.length + MIRRORED.length ? at + MIRRORED.length : at - MIRRORED.length;
}

/**
 * One face's part of the embedding, and its mirror image's: dense, ReLU, dense, length `√share`.
 * @param landmarks N × 3 of the 468- or 478-point mesh.
 */
export function embedGeometry(
  geometry: Geometry,
  landmarks: Float32Array,
): [asIs: Float32Array, mirrored: Float32Array] {
  const features = new Float32Array(GEOMETRY_FEATURES);
  describeGeometry(landmarks, geometry.reference.data, features);
  return [embedFeatures(geometry, features), embedFeatures(geometry, mirrorGeometry(features))];
}

function embedFeatures(geometry: Geometry, features: Float32Array): Float32Array {
  const vector = projectFeatures(geometry, features);
  const length = Math.max(Math.hypot(...vector), 1e-12) / Math.sqrt(geometry.share);
  return vector.map((value) => value / length);
}

/** Dense, ReLU, dense: the geometry's part of an embedding before it is given its length. */
export function projectFeatures(
  { mean, deviation, hidden, project }: Geometry,
  features: Float32Array,
): Float32Array {
  const standard = features.map((value, i) => (value - mean.data[i]!) / deviation.data[i]!);
  return dense(
    dense(standard, hidden).map((value) => Math.max(0, value)),
    project,
  );
}

function dense(input: Float32Array, { kernel, bias }: GeometryLayer): Float32Array {
  const out = bias.data.slice();
  const weights = kernel.data;
  for (let i = 0, row = 0; i < input.length; i++, row += out.length) {
    const value = input[i]!;
    if (value === 0) continue;
    for (let o = 0; o < out.length; o++) out[o]! += value * weights[row + o]!;
  }
  return out;
}
