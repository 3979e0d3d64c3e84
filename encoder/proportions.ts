import { alignMeshes, place, RIGID, type Similarity } from './alignment.js';
import type { Vec3 } from '../core/geometry.js';

/**
 * Faces are longer or wider than each other, by an eighth or so, and cameras with oblong pixels show everybody
 * so. On a face that is laid onto an average one by a similarity, a wide one has low brows and narrow lids, which is
 * what expressions change, too. So the encoder sees every face halfway to the average proportions.
 */

/** A face is to be `tall` times as tall along (x, y), the picture's direction from its forehead to its chin. */
export interface Stretch {
  readonly x: number;
  readonly y: number;
  readonly tall: number;
}

/**
 * Points that bone holds in place: the person's right one and left one in the mesh (the same in the plane of
 * symmetry), where the right one lies on the mean frontal face of the training set (x to the picture's right, y
 * down, z away; the left one mirrored), and what each coordinate of both, their mean, tells of the logarithm of
 * height over width.
 *
 * The estimator with the least variance within a person among those that answer with 1 to a picture that is
 * stretched (generalised least squares, Aitken 1936): within 544 rendered people, 24,000 views of every expression
 * and yaw, and between the neutral and the smiling pictures of the London set that training knows, blind to what
 * tells those 116 pictures from frontal renders; the answer is that of the landmark model to them at 0.85 to 1.15 times
 * their width (`scripts/fit-proportions.mjs`, `training/proportions.ts`; docs/results.md, "Taller and wider faces").
 */
type BonyPoint = readonly [right: number, left: number, at: Vec3, weight: Vec3];
const BONY_POINTS: readonly BonyPoint[] = [
  [1, 1, [0, -0.033, -0.643], [0, 1.479, -1.324]],
  [2, 2, [0, 0.137, -0.388], [0, -0.996, -0.605]],
  [4, 4, [0, -0.159, -0.659], [0, 0.674, -0.336]],
  [5, 5, [0, -0.304, -0.585], [0, -0.935, 0.933]],
  [195, 195, [0, -0.412, -0.456], [0, -1.905, 0.711]],
  [197, 197, [0, -0.512, -0.33], [0, -1.112, -0.169]],
  [6, 6, [0, -0.623, -0.211], [0, 0.478, -0.398]],
  [168, 168, [0, -0.754, -0.102], [0, 1.763, 0.036]],
  [8, 8, [0, -0.9, -0.079], [0, -0.278, -0.514]],
  [9, 9, [0, -1.061, -0.07], [0, -0.372, -0.389]],
  [10, 10, [0, -1.585, 0.159], [0, -0.072, 0.161]],
  [151, 151, [0, -1.325, 0.035], [0, -1.361, 0.932]],
  [33, 263, [-0.848, -0.594, 0.275], [-2.038, 0.224, -0.08]],
  [133, 362, [-0.329, -0.583, 0.171], [0.89, -0.492, -0.568]],
  [98, 327, [-0.315, 0.133, -0.236], [-0.178, 0.832, -0.416]],
  [129, 358, [-0.387, 0.02, -0.146], [-0.676, 0.574, 0.948]],
  [117, 346, [-0.976, -0.281, 0.214], [1.82, 0.064, 1.052]],
  [234, 454, [-1.261, -0.086, 1.192], [-0.652, 0.068, 0.68]],
  [127, 356, [-1.278, -0.354, 1.163], [-1.57, -0.784, -1.364]],
  [21, 251, [-1.206, -0.912, 0.85], [1.534, 0.83, 0.228]],
]; // prettier-ignore
/** Of the squared sine of yaw, the sine of pitch, and its square. */
const TURN_WEIGHTS: Vec3 = [0.088, 0.022, 0.002];
const WEIGHTS: readonly number[] = [
  ...BONY_POINTS.flatMap(([, , , weight]) => weight),
  ...TURN_WEIGHTS,
];
/** How many numbers tell of a face's proportions. */
export const BONY_FEATURES = WEIGHTS.length;
/** So that rendered faces are even on average. */
const MEAN = 3.2008;
/** Of the logarithm: what is further from the average is no face's proportion. */
const MOST = 0.35;
/**
 * The estimate varies by 0.06 between views of a person, and faces by 0.04 among people (docs/results.md): whole it would
 * part the views of one moment, and none of it leaves wide faces angry.
 */
const TAKEN_OUT = 0.5;
const EVEN: Stretch = { x: 0, y: 1, tall: 1 };

const MEAN_FACE = new Float32Array(3 * (1 + Math.max(...RIGID)));
for (const [right, left, [x, y, z]] of BONY_POINTS) {
  MEAN_FACE.set([x, y, z], 3 * right);
  MEAN_FACE.set([-x, y, z], 3 * left);
}

/** A face's bony points on the mean face, and how it got there. */
export interface BonyFace {
  /** x, y, z of each of the bony points, mean of both sides as the right one lies; squared sine of yaw, sine of pitch, and its square. */
  readonly features: readonly number[];
  readonly similarity: Similarity;
}

/** @returns undefined for a mesh that spans no space. */
export function bonyFace(landmarks: Float32Array): BonyFace | undefined {
  const similarity = alignMeshes(landmarks, MEAN_FACE);
  if (similarity === undefined) return undefined;
  const [right, left] = [new Float32Array(3), new Float32Array(3)];
  const features = BONY_POINTS.flatMap(([rightIndex, leftIndex]) => {
    place(landmarks, rightIndex, similarity, right, 0);
    place(landmarks, leftIndex, similarity, left, 0);
    return [(right[0]! - left[0]!) / 2, (right[1]! + left[1]!) / 2, (right[2]! + left[2]!) / 2];
  });
  const { rotation } = similarity;
  const [sinYaw, sinPitch] = [rotation[2], rotation[5]];
  return { features: [...features, sinYaw ** 2, sinPitch, sinPitch ** 2], similarity };
}

/**
 * What takes a face halfway to the average proportions; nothing for a mesh that spans no space.
 * @param landmarks N × 3 of the 468- or 478-point mesh, in picture pixels or any other scale.
 * @returns `tall` between 0.83 and 1.2.
 */
export function stretchToEven(landmarks: Float32Array): Stretch {
  const face = bonyFace(landmarks);
  if (face === undefined) return EVEN;
  const excess = face.features.reduce((sum, value, i) => sum + WEIGHTS[i]! * value, -MEAN);
  // The mean face's downward axis, as the picture shows it.
  const [, , , x, y] = face.similarity.rotation;
  const length = Math.hypot(x, y);
  if (!(length > 0)) return EVEN;
  const tall = Math.exp(-TAKEN_OUT * Math.min(MOST, Math.max(-MOST, excess)));
  return { x: x / length, y: y / length, tall };
}

/** @param points N × 3, or more; depth stays. */
export function stretchMesh(points: Float32Array, { x, y, tall }: Stretch): Float32Array {
  const out = points.slice();
  for (let i = 0; i < out.length; i += 3) {
    const along = (tall - 1) * (x * out[i]! + y * out[i + 1]!);
    out[i]! += along * x;
    out[i + 1]! += along * y;
  }
  return out;
}

/** A mesh halfway to the average proportions. */
export const evenMesh = (landmarks: Float32Array): Float32Array =>
  stretchMesh(landmarks, stretchToEven(landmarks));
