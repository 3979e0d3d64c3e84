import { alignMeshes, place } from './alignment.js';
import type { Weights } from './graph.js';
import { evenMesh } from './proportions.js';

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

/** Where each of them begins in a reference. */
const REFERENCE_AT = new Map(GEOMETRY_POINTS.map((index, at) => [index, 3 * at]));
const placeInReference = (index: number): number => REFERENCE_AT.get(index)!;

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
 * Gives the face the average proportions, aligns it with the reference by the similarity of the rigid points
 * (Umeyama 1991) and writes positions and turn into `out`. Zeros where the points have no extent.
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
  const even = evenMesh(landmarks);
  const similarity = alignMeshes(even, reference, placeInReference);
  if (similarity === undefined) return;
  GEOMETRY_POINTS.forEach((index, at) => place(even, index, similarity, out, 3 * at));
  out[GEOMETRY_FEATURES - 2] = similarity.rotation[2];
  out[GEOMETRY_FEATURES - 1] = similarity.rotation[5];
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
  const { mean, deviation, hidden, project, share } = geometry;
  const standard = features.map((value, i) => (value - mean.data[i]!) / deviation.data[i]!);
  const middle = dense(standard, hidden).map((value) => Math.max(0, value));
  const vector = dense(middle, project);
  const length = Math.max(Math.hypot(...vector), 1e-12) / Math.sqrt(share);
  return vector.map((value) => value / length);
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
