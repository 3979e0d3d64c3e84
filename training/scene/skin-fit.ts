import {
  apply,
  multiply,
  rotationFromVector,
  transpose,
  type Mat3,
  type Vec3,
} from '../../core/geometry.js';
import { FACE_VERTICES, SKIN_VERTICES, type HeadModel } from './head-model.js';
import { LeastSquares } from './linear.js';
import { OUTLINE_POINTS, PHOTO_POINTS } from './photo-landmarks.js';
import { identityHead, vertexNormals } from './shape.js';

/** A portrait's camera stands this far away: the London set was taken from about 1.5 m. */
const CAMERA_CM = 150;
const POINT_NOISE_CM = 0.12;
const OUTLINE_WEIGHT = 0.15;
const MODES = 40;

/** How a head stands in a photo: x_photo = x + scale · X · D / (D − Z) for the turned head. */
interface PhotoPose {
  readonly rotation: Mat3;
  readonly x: number;
  readonly y: number;
  /** Pixels a centimetre at the depth of the head's origin. */
  readonly scale: number;
}

export interface PhotoFit {
  readonly pose: PhotoPose;
  readonly identity: readonly number[];
  /** Skin vertices in the photo, x y in pixels, warped so that the landmarks meet. */
  readonly points: Float32Array;
  /** Normals of the skin in the photo's axes (z towards the camera). */
  readonly normals: Float32Array;
  /** What the warp adds to each vertex of the whole head, cm, so that its shape meets the photo too. */
  readonly displacement: Float32Array;
  /** Root mean square distance of the landmarks before the warp, cm. */
  readonly rmseCm: number;
}

type Point = readonly [number, number];
interface Pair {
  readonly vertex: number;
  readonly at: Point;
  readonly weight: number;
}

/** Fits pose and identity to a frontal photo's landmarks (pixels), then warps what is left. */
export function fitPhoto(model: HeadModel, landmarks: readonly Point[]): PhotoFit {
  const fixed: Pair[] = PHOTO_POINTS.map(([vertex, points, weight]) => ({
    vertex,
    at: mean(points.map((i) => landmarks[i]!)),
    weight,
  }));
  let identity: number[] = new Array<number>(MODES).fill(0);
  let head = model.neutral;
  let pose = firstPose(head, fixed);
  let pairs = fixed;
  for (let round = 0; round < 8; round++) {
    for (let i = 0; i < 3; i++) pose = refinePose(pose, head, pairs);
    pairs = [...fixed, ...outlinePairs(model, head, pose, landmarks)];
    identity = fitIdentity(model, pose, pairs, head);
    head = identityHead(model, identity, SKIN_VERTICES);
  }
  const skin = head.subarray(0, SKIN_VERTICES * 3);
  const points = new Float32Array(SKIN_VERTICES * 2);
  for (let v = 0; v < SKIN_VERTICES; v++) points.set(project(pose, skin, v), 2 * v);
  const rmseCm = residual(fixed, points) / pose.scale;
  const field = warpField(points, pairs, pose.scale);
  for (let v = 0; v < points.length; v += 2) {
    const [dx, dy] = field([points[v]!, points[v + 1]!]);
    points[v]! += dx;
    points[v + 1]! += dy;
  }
  return {
    pose,
    identity,
    points,
    displacement: displaced(identityHead(model, identity), pose, field),
    normals: turned(vertexNormals(head, skinParts(model)), pose.rotation),
    rmseCm,
  };
}

const skinTriangles = new WeakMap<HeadModel, Uint32Array>();

/** Triangles of the outer skin alone. */
function skinParts(model: HeadModel): Uint32Array[] {
  let skin = skinTriangles.get(model);
  if (skin === undefined) {
    const all = ['M_Face', 'M_BackHead'].flatMap((name) => [...(model.parts.get(name) ?? [])]);
    const kept: number[] = [];
    for (let t = 0; t < all.length; t += 3) {
      const corners = all.slice(t, t + 3);
      if (corners.every((v) => v < SKIN_VERTICES)) kept.push(...corners);
    }
    skin = Uint32Array.from(kept);
    skinTriangles.set(model, skin);
  }
  return [skin];
}

function firstPose(head: Float32Array, pairs: readonly Pair[]): PhotoPose {
  const right = pairs.find(({ vertex }) => vertex === 1507)!.at;
  const left = pairs.find(({ vertex }) => vertex === 3721)!.at;
  const scale = Math.hypot(left[0] - right[0], left[1] - right[1]) / (2 * head[3 * 3721]!);
  const x = (left[0] + right[0]) / 2;
  const y = (left[1] + right[1]) / 2 + scale * head[3 * 3721 + 1]!;
  return { rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1], x, y, scale };
}

function project({ rotation, x, y, scale }: PhotoPose, head: Float32Array, v: number): Point {
  const p = apply(rotation, [head[3 * v]!, head[3 * v + 1]!, head[3 * v + 2]!]);
  const near = (scale * CAMERA_CM) / (CAMERA_CM - p[2]);
  return [x + near * p[0], y - near * p[1]];
}

/** One Gauss–Newton step over rotation, place and scale. */
function refinePose(pose: PhotoPose, head: Float32Array, pairs: readonly Pair[]): PhotoPose {
  const moved = (step: ArrayLike<number>): PhotoPose => ({
    rotation: multiply(rotationFromVector([step[0]!, step[1]!, step[2]!]), pose.rotation),
    x: pose.x + step[3]! * pose.scale,
    y: pose.y + step[4]! * pose.scale,
    scale: pose.scale * (1 + step[5]!),
  });
  const nudges = Array.from({ length: 6 }, (_, i) =>
    moved(Array.from({ length: 6 }, (_unused, j) => (i === j ? 1e-4 : 0))),
  );
  const system = new LeastSquares(6);
  for (const { vertex, at, weight } of pairs) {
    const here = project(pose, head, vertex);
    const there = nudges.map((nudge) => project(nudge, head, vertex));
    for (const k of [0, 1] as const) {
      const row = there.map((point) => (point[k] - here[k]) / 1e-4 / pose.scale);
      system.add(row, (at[k] - here[k]) / pose.scale, weight);
    }
  }
  return moved(system.solve(1e-6));
}

/** The vertex nearest to each outline landmark among those whose surface turns away there. */
function outlinePairs(
  model: HeadModel,
  head: Float32Array,
  pose: PhotoPose,
  landmarks: readonly Point[],
): Pair[] {
  const normals = turned(vertexNormals(head, skinParts(model)), pose.rotation);
  const candidates: { vertex: number; at: Point }[] = [];
  for (let v = 0; v < FACE_VERTICES; v++) {
    const [y, z] = [head[3 * v + 1]!, normals[3 * v + 2]!];
    if (y < 1 && y > -9 && Math.abs(z) < 0.3)
      candidates.push({ vertex: v, at: project(pose, head, v) });
  }
  return OUTLINE_POINTS.flatMap((i) => {
    const at = landmarks[i]!;
    let best: { vertex: number; distance: number } | undefined;
    for (const candidate of candidates) {
      const distance = Math.hypot(candidate.at[0] - at[0], candidate.at[1] - at[1]);
      if (best === undefined || distance < best.distance)
        best = { vertex: candidate.vertex, distance };
    }
    return best === undefined ? [] : [{ vertex: best.vertex, at, weight: OUTLINE_WEIGHT }];
  });
}

/** Identity weights by least squares, the depth of each point kept from the last round. */
function fitIdentity(
  model: HeadModel,
  pose: PhotoPose,
  pairs: readonly Pair[],
  head: Float32Array,
): number[] {
  const modes = Math.min(MODES, model.identities.length);
  const system = new LeastSquares(modes);
  for (const { vertex, at, weight } of pairs) {
    const near = (v: Vec3): number => CAMERA_CM / (CAMERA_CM - apply(pose.rotation, v)[2]);
    const from = (shape: Float32Array): Vec3 => [
      shape[3 * vertex]!,
      shape[3 * vertex + 1]!,
      shape[3 * vertex + 2]!,
    ];
    const factor = near(from(head));
    const base = apply(pose.rotation, from(model.neutral));
    const deltas = model.identities
      .slice(0, modes)
      .map((delta) => apply(pose.rotation, from(delta)));
    const trust = weight / POINT_NOISE_CM ** 2;
    const [x, y] = [(at[0] - pose.x) / pose.scale, (pose.y - at[1]) / pose.scale];
    system.add(
      deltas.map((delta) => factor * delta[0]),
      x - factor * base[0],
      trust,
    );
    system.add(
      deltas.map((delta) => factor * delta[1]),
      y - factor * base[1],
      trust,
    );
  }
  return [...system.solve(1)];
}

const WARP_REACH_CM = 2.2;

type Field = (p: Point) => Point;

/** A smooth field (Gaussian bumps with a ridge) that takes landmarks home; pixels. */
function warpField(points: Float32Array, pairs: readonly Pair[], scale: number): Field {
  const reach = 2 * (WARP_REACH_CM * scale) ** 2;
  const centres = pairs.map(({ vertex }): Point => [points[2 * vertex]!, points[2 * vertex + 1]!]);
  const bump = (p: Point, q: Point): number =>
    Math.exp(-((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2) / reach);
  const [right, down] = ([0, 1] as const).map((k) => {
    const system = new LeastSquares(centres.length);
    pairs.forEach(({ at, weight }, i) => {
      system.add(
        centres.map((centre) => bump(centres[i]!, centre)),
        at[k] - centres[i]![k],
        weight,
      );
    });
    return system.solve(0.05);
  });
  return (p) => {
    let [x, y] = [0, 0];
    centres.forEach((centre, i) => {
      const share = bump(p, centre);
      x += share * right![i]!;
      y += share * down![i]!;
    });
    return [x, y];
  };
}

/** The photo says nothing of what lies further back than the ears. */
const [BACK_CM, FRONT_CM] = [-1, 3];

/** The field as a movement in the photo's plane, of skin, eyes, lashes and teeth alike. */
function displaced(head: Float32Array, pose: PhotoPose, field: Field): Float32Array {
  const out = new Float32Array(head.length);
  const back = transpose(pose.rotation);
  for (let v = 0; v < head.length / 3; v++) {
    const share = Math.min(1, Math.max(0, (head[3 * v + 2]! - BACK_CM) / (FRONT_CM - BACK_CM)));
    if (share === 0) continue;
    const [x, y] = field(project(pose, head, v));
    const [dx, dy] = [(share * x) / pose.scale, (-share * y) / pose.scale];
    out.set(apply(back, [dx, dy, 0]), 3 * v);
  }
  return out;
}

function residual(pairs: readonly Pair[], points: Float32Array): number {
  const squares = pairs.map(
    ({ vertex, at }) => (points[2 * vertex]! - at[0]) ** 2 + (points[2 * vertex + 1]! - at[1]) ** 2,
  );
  return Math.sqrt(squares.reduce((sum, value) => sum + value, 0) / squares.length);
}

function turned(normals: Float32Array, rotation: Mat3): Float32Array {
  const out = new Float32Array(SKIN_VERTICES * 3);
  for (let v = 0; v < out.length; v += 3) {
    out.set(apply(rotation, [normals[v]!, normals[v + 1]!, normals[v + 2]!]), v);
  }
  return out;
}

function mean(points: readonly Point[]): Point {
  const sum = points.reduce(([x, y], [px, py]): Point => [x + px, y + py], [0, 0]);
  return [sum[0] / points.length, sum[1] / points.length];
}
