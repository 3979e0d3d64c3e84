import {
  add, apply, cross, multiply, normalize, scale, subtract, toDegrees, toRadians, transpose, type Mat3, type Vec3,
} from '../../core/geometry.js'; // prettier-ignore
import type { Head, HeadPose } from '../../core/types.js';
import { CANONICAL_POINTS, type FaceGeometry } from './geometry.js';

/** Pinhole of the camera; distortion is small over a face and taken out at its centre only. */
export interface Pinhole {
  readonly fx: number;
  readonly fy: number;
  readonly cx: number;
  readonly cy: number;
}

/** Half the field of view assumed along a picture's longer side when the camera is not known. */
const ASSUMED_HALF_VIEW = Math.PI / 6;

export function assumedPinhole(width: number, height: number): Pinhole {
  const f = Math.max(width, height) / 2 / Math.tan(ASSUMED_HALF_VIEW);
  return { fx: f, fy: f, cx: width / 2, cy: height / 2 };
}

export interface FittedPose {
  readonly pose: HeadPose;
  readonly head: Head;
  /** Distance between the eyes' centres if the face looked here, in pixels. */
  readonly eyeDistancePx: number;
}

/**
 * What a landmark model does to turned heads, undone: it flattens their depths, lets the yaw lag and
 * leans profiles. Degrees added to the yaw's size, and to the roll in the yaw's direction, at yaws of
 * 0, 15 … 75° and beyond. Fitted on ten rendered people of the train split and judged on ten of the
 * test split (`clmex bench pose`, docs/faces.md).
 */
interface HeadModel {
  readonly depthGain: number;
  readonly yawLagDeg: readonly number[];
  readonly leanDeg: readonly number[];
}
const KNOT_DEG = 15;
const HEAD_468: HeadModel = {
  depthGain: 1.2,
  yawLagDeg: [0, 0, 1.1, 7.2, 11.9, 16.1],
  leanDeg: [0, 0.5, 0.9, 2.3, 3.1, 3.1],
};
const HEAD_478: HeadModel = {
  depthGain: 1.2,
  yawLagDeg: [0, 0, 0.8, 3.5, 4, 5],
  leanDeg: [0, 0.6, 1.2, 1.1, 0.6, 0],
};
const FARTHEST_YAW_DEG = 95;

/** Distance between the eyes' centres of the canonical face, metres. */
const EYE_DISTANCE = 0.063;
/** Head axes (x left, y up, z out) seen straight on by a camera (x right, y down, z forward). */
const FACING: Mat3 = [1, 0, 0, 0, -1, 0, 0, 0, -1];

/**
 * Places the canonical face on the landmarks: the weighted similarity of the two point sets (Horn
 * 1987, by unit quaternions), seen along the ray to the face, whose scale gives the distance.
 * Undefined where the landmarks have no extent.
 */
export function fitPose(
  landmarks: Float32Array,
  geometry: FaceGeometry,
  pinhole: Pinhole,
): FittedPose | undefined {
  const model = landmarks.length > 3 * CANONICAL_POINTS ? HEAD_478 : HEAD_468;
  const aspect = pinhole.fx / pinhole.fy;
  const pairs = geometry.basis.map(({ index, weight }) => {
    const [x, y, z] = pointAt(landmarks, index);
    return { p: [x, y * aspect, z * model.depthGain] as Vec3, q: pointAt(geometry.points, index), weight }; // prettier-ignore
  });
  const { seen, known, centred } = aboutMiddle(pairs);
  const pose = unlag(anglesOf(rotationOfPairs(centred)), model);
  const local = rotationOf(pose);
  const pxPerMetre = scaleInPicture(centred, local);
  if (!(pxPerMetre > 1e-6)) return undefined;
  const ray = normalize([
    (seen[0] - pinhole.cx) / pinhole.fx,
    (seen[1] / aspect - pinhole.cy) / pinhole.fy,
    1,
  ]);
  const rotation = multiply(turnTo(ray), local);
  const centre = scale(ray, pinhole.fx / pxPerMetre / ray[2]);
  const position = subtract(centre, apply(rotation, known));
  return {
    pose,
    head: { rotation, position },
    eyeDistancePx: pxPerMetre * EYE_DISTANCE,
  };
}

interface Pair {
  readonly p: Vec3;
  readonly q: Vec3;
  readonly weight: number;
}

/** Scale that lays the turned face nearest to the landmarks, by their places in the picture alone. */
function scaleInPicture(pairs: readonly Pair[], rotation: Mat3): number {
  let [along, spread] = [0, 0];
  for (const { p, q, weight } of pairs) {
    const [x, y] = apply(rotation, q);
    along += weight * (p[0] * x + p[1] * y);
    spread += weight * (x * x + y * y);
  }
  return along / spread;
}

/**
 * Angles of a head's rotation relative to the line of sight: yaw about the vertical, then pitch,
 * then roll about the nose.
 */
export function anglesOf(local: Mat3): HeadPose {
  const nose = apply(local, [0, 0, 1]);
  const yaw = Math.atan2(nose[0], -nose[2]);
  const pitch = Math.atan2(-nose[1], Math.hypot(nose[0], nose[2]));
  const unrolled = multiply(yawPitch(yaw, pitch), FACING);
  const top = apply(transpose(unrolled), apply(local, [0, 1, 0]));
  return {
    yawDeg: toDegrees(yaw),
    pitchDeg: toDegrees(pitch),
    rollDeg: toDegrees(Math.atan2(top[0], top[1])),
  };
}

/** Inverse of {@link anglesOf}. */
export function rotationOf({ yawDeg, pitchDeg, rollDeg }: HeadPose): Mat3 {
  const roll = toRadians(rollDeg);
  const lean: Mat3 = [Math.cos(roll), Math.sin(roll), 0, -Math.sin(roll), Math.cos(roll), 0, 0, 0, 1]; // prettier-ignore
  const facing = multiply(yawPitch(toRadians(yawDeg), toRadians(pitchDeg)), FACING);
  return multiply(facing, lean);
}

/** The head's angles from the landmarks'; a real profile ends past a right angle. */
function unlag({ yawDeg, pitchDeg, rollDeg }: HeadPose, model: HeadModel): HeadPose {
  const size = Math.abs(yawDeg);
  const lifted = Math.min(FARTHEST_YAW_DEG, size + between(model.yawLagDeg, size));
  const lean = Math.sign(yawDeg) * between(model.leanDeg, size);
  return { yawDeg: Math.sign(yawDeg) * Math.max(size, lifted), pitchDeg, rollDeg: rollDeg + lean };
}

/** Value of a curve given at its knots, straight between them, level after the last. */
function between(values: readonly number[], atDeg: number): number {
  const place = Math.min(values.length - 1, atDeg / KNOT_DEG);
  const i = Math.floor(place);
  return values[i]! + (place - i) * ((values[i + 1] ?? values[i]!) - values[i]!);
}

/** The rotation that takes the nose from straight at the camera to these angles (radians). */
function yawPitch(yaw: number, pitch: number): Mat3 {
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  const turn: Mat3 = [cy, 0, -sy, 0, 1, 0, sy, 0, cy];
  const lift: Mat3 = [1, 0, 0, 0, cp, sp, 0, -sp, cp];
  return multiply(turn, lift);
}

/** The smallest rotation that takes the optical axis to the ray. */
function turnTo(ray: Vec3): Mat3 {
  const axis = cross([0, 0, 1], ray);
  const [x, y] = axis;
  const k = 1 / (1 + ray[2]);
  return [1 - y * y * k, x * y * k, y, x * y * k, 1 - x * x * k, -x, -y, x, ray[2]];
}

/** The rotation that takes the optical axis' line of sight back from the ray to a place. */
export function towardsRay(place: Vec3): Mat3 {
  return transpose(turnTo(normalize(place)));
}

/** The rotation that lays `known` nearest to `seen` at the basis' points (both N × 3, any scale). */
export function rotationOnto(
  seen: ArrayLike<number>,
  known: ArrayLike<number>,
  basis: FaceGeometry['basis'],
): Mat3 {
  const pairs = basis.map(({ index, weight }) => ({ p: pointAt(seen, index), q: pointAt(known, index), weight })); // prettier-ignore
  return rotationOfPairs(aboutMiddle(pairs).centred);
}

const pointAt = (points: ArrayLike<number>, i: number): Vec3 => [points[3 * i]!, points[3 * i + 1]!, points[3 * i + 2]!]; // prettier-ignore

/** The pairs about their weighted middles. */
function aboutMiddle(pairs: readonly Pair[]): { seen: Vec3; known: Vec3; centred: Pair[] } {
  const total = pairs.reduce((sum, { weight }) => sum + weight, 0);
  const middle = (side: 'p' | 'q'): Vec3 =>
    pairs.reduce<Vec3>((sum, pair) => add(sum, scale(pair[side], pair.weight / total)), [0, 0, 0]);
  const [seen, known] = [middle('p'), middle('q')];
  const centred = pairs.map(({ p, q, weight }) => ({ p: subtract(p, seen), q: subtract(q, known), weight })); // prettier-ignore
  return { seen, known, centred };
}

function rotationOfPairs(centred: readonly Pair[]): Mat3 {
  const correlation = new Float64Array(9);
  for (const { p, q, weight } of centred) {
    for (let r = 0; r < 3; r++) {
      for (let c = 0; c < 3; c++) correlation[r * 3 + c]! += weight * p[r as 0] * q[c as 0];
    }
  }
  return bestRotation(correlation);
}

/**
 * The rotation R that maximises trace(Rᵀ C): the eigenvector of Horn's 4 × 4 matrix with the largest
 * eigenvalue, by Jacobi rotations.
 */
function bestRotation(c: Float64Array): Mat3 {
  const [xx, xy, xz, yx, yy, yz, zx, zy, zz] = c as unknown as Mat3;
  // Horn's matrix for left points q (canonical) and right points p (seen): S_ab = Σ q_a p_b = C_ba.
  const n = [
    xx + yy + zz, zy - yz, xz - zx, yx - xy,
    zy - yz, xx - yy - zz, yx + xy, xz + zx,
    xz - zx, yx + xy, yy - xx - zz, zy + yz,
    yx - xy, xz + zx, zy + yz, zz - xx - yy,
  ]; // prettier-ignore
  const [w, x, y, z] = dominantEigenvector(n);
  return [
    1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
    2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
    2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
  ]; // prettier-ignore
}

/** Of a symmetric 4 × 4 matrix, by cyclic Jacobi rotations. */
function dominantEigenvector(a: number[]): [number, number, number, number] {
  const v = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  for (let sweep = 0; sweep < 20; sweep++) {
    let off = 0;
    for (let p = 0; p < 3; p++) {
      for (let q = p + 1; q < 4; q++) {
        const apq = a[p * 4 + q]!;
        off += apq * apq;
        if (Math.abs(apq) < 1e-300) continue;
        const theta = (a[q * 4 + q]! - a[p * 4 + p]!) / (2 * apq);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const cos = 1 / Math.sqrt(t * t + 1);
        const sin = t * cos;
        for (let k = 0; k < 4; k++) {
          const [akp, akq] = [a[k * 4 + p]!, a[k * 4 + q]!];
          a[k * 4 + p] = cos * akp - sin * akq;
          a[k * 4 + q] = sin * akp + cos * akq;
        }
        for (let k = 0; k < 4; k++) {
          const [apk, aqk] = [a[p * 4 + k]!, a[q * 4 + k]!];
          a[p * 4 + k] = cos * apk - sin * aqk;
          a[q * 4 + k] = sin * apk + cos * aqk;
          const [vkp, vkq] = [v[k * 4 + p]!, v[k * 4 + q]!];
          v[k * 4 + p] = cos * vkp - sin * vkq;
          v[k * 4 + q] = sin * vkp + cos * vkq;
        }
      }
    }
    if (off < 1e-22) break;
  }
  const best = [0, 1, 2, 3].reduce((most, i) => (a[i * 5]! > a[most * 5]! ? i : most), 0);
  return [v[best]!, v[4 + best]!, v[8 + best]!, v[12 + best]!];
}
