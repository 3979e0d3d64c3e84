import type { Box } from '../../core/types.js';
import { fromRegion, type Region } from './region.js';

/** Right eye, left eye, nose tip, mouth, right ear, left ear (the person's sides). */
const KEYPOINTS = 6;

/** What a detector found, in picture pixels. */
export interface Detection {
  readonly score: number;
  readonly box: Box;
  /** {@link KEYPOINTS} pairs. */
  readonly keypoints: readonly (readonly [number, number])[];
}

/** How a detector's grid is laid out; from MediaPipe's face detection graphs. */
export interface DetectorSpec {
  readonly side: number;
  /** Anchors a cell and stride of each layer. */
  readonly layers: readonly { readonly stride: number; readonly anchors: number }[];
  readonly minScore: number;
}

export const SHORT_RANGE: DetectorSpec = {
  side: 128,
  layers: [
    { stride: 8, anchors: 2 },
    { stride: 16, anchors: 6 },
  ],
  minScore: 0.5,
};
export const FULL_RANGE: DetectorSpec = {
  side: 192,
  layers: [{ stride: 4, anchors: 1 }],
  minScore: 0.6,
};

const VALUES = 4 + 2 * KEYPOINTS;
const SCORE_CLIP = 100;
const OVERLAP = 0.3;

/** Centres of the anchors in [0, 1]², x and y in turn; all anchors have the size of the input. */
export function makeAnchors({ side, layers }: DetectorSpec): Float32Array {
  const centres: number[] = [];
  for (const { stride, anchors } of layers) {
    const cells = Math.ceil(side / stride);
    for (let i = 0; i < cells * cells * anchors; i++) {
      const cell = Math.floor(i / anchors);
      centres.push(((cell % cells) + 0.5) / cells, (Math.floor(cell / cells) + 0.5) / cells);
    }
  }
  return Float32Array.from(centres);
}

/** A candidate in [0, 1]² of the region: score, corners, keypoints. */
interface Candidate {
  readonly score: number;
  /** x0, y0, x1, y1, then the keypoints. */
  readonly values: Float64Array;
}

/**
 * Faces of one item of a batch, by MediaPipe's steps: clip, sigmoid, threshold, decode, weighted
 * non-maximum suppression.
 */
export function decodeDetections(
  spec: DetectorSpec,
  anchors: Float32Array,
  regressors: Float32Array,
  logits: Float32Array,
  item: number,
  region: Region,
  minScore: number,
): Detection[] {
  const count = anchors.length / 2;
  const candidates: Candidate[] = [];
  const threshold = Math.log(minScore / (1 - minScore));
  for (let i = 0; i < count; i++) {
    const logit = logits[item * count + i]!;
    if (!(logit >= threshold)) continue;
    const score = 1 / (1 + Math.exp(-Math.min(SCORE_CLIP, logit)));
    candidates.push({ score, values: decode(spec, anchors, regressors, (item * count + i) * VALUES, i) }); // prettier-ignore
  }
  return suppress(candidates).map((candidate) => toPicture(candidate, region));
}

function decode(
  { side }: DetectorSpec,
  anchors: Float32Array,
  raw: Float32Array,
  from: number,
  anchor: number,
): Float64Array {
  const [ax, ay] = [anchors[2 * anchor]!, anchors[2 * anchor + 1]!];
  const values = new Float64Array(VALUES);
  const [x, y] = [raw[from]! / side + ax, raw[from + 1]! / side + ay];
  const [halfWidth, halfHeight] = [raw[from + 2]! / side / 2, raw[from + 3]! / side / 2];
  values.set([x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight]);
  for (let k = 4; k < VALUES; k += 2) {
    values[k] = raw[from + k]! / side + ax;
    values[k + 1] = raw[from + k + 1]! / side + ay;
  }
  return values;
}

/** Weighted non-maximum suppression: what overlaps the best is averaged into it by score. */
function suppress(candidates: Candidate[]): Candidate[] {
  let rest = candidates.sort((a, b) => b.score - a.score);
  const kept: Candidate[] = [];
  while (rest.length > 0) {
    const best = rest[0]!;
    const [near, far]: [Candidate[], Candidate[]] = [[], []];
    for (const other of rest)
      (overlap(best.values, other.values) > OVERLAP ? near : far).push(other);
    if (near.length === 0) break; // a box without area overlaps nothing, not even itself
    const total = near.reduce((sum, { score }) => sum + score, 0);
    const values = best.values.map((_, k) =>
      near.reduce((sum, { score, values }) => sum + score * values[k]!, 0) / total); // prettier-ignore
    kept.push({ score: best.score, values });
    rest = far;
  }
  return kept;
}

/** Intersection over union of two boxes given by corners. */
function overlap(a: Float64Array, b: Float64Array): number {
  const width = Math.min(a[2]!, b[2]!) - Math.max(a[0]!, b[0]!);
  const height = Math.min(a[3]!, b[3]!) - Math.max(a[1]!, b[1]!);
  if (!(width > 0 && height > 0)) return 0;
  const area = (v: Float64Array): number => (v[2]! - v[0]!) * (v[3]! - v[1]!);
  return (width * height) / (area(a) + area(b) - width * height);
}

function toPicture({ score, values }: Candidate, region: Region): Detection {
  const [x0, y0, x1, y1] = values as unknown as [number, number, number, number];
  const corners = [fromRegion(region, x0, y0), fromRegion(region, x1, y1), fromRegion(region, x1, y0), fromRegion(region, x0, y1)]; // prettier-ignore
  const xs = corners.map(([x]) => x);
  const ys = corners.map(([, y]) => y);
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  const box = { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
  const keypoints = Array.from({ length: KEYPOINTS }, (_, k) =>
    fromRegion(region, values[4 + 2 * k]!, values[5 + 2 * k]!),
  );
  return { score, box, keypoints };
}

/** Intersection over union. */
export function boxOverlap(a: Box, b: Box): number {
  const common = intersection(a, b);
  return common === 0 ? 0 : common / (a.width * a.height + b.width * b.height - common);
}

/** Share of the smaller box that lies in the other. */
export function boxCover(a: Box, b: Box): number {
  const common = intersection(a, b);
  return common === 0 ? 0 : common / Math.min(a.width * a.height, b.width * b.height);
}

function intersection(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return width > 0 && height > 0 ? width * height : 0;
}

/** Where the landmark model looks first: 1.5 × the box, squared, turned by the eyes' line. */
export function regionOfDetection({ box, keypoints }: Detection): Region {
  const [[rx, ry], [lx, ly]] = keypoints as unknown as [[number, number], [number, number]];
  const side = 1.5 * Math.max(box.width, box.height);
  return {
    x: box.x + box.width / 2,
    y: box.y + box.height / 2,
    width: side,
    height: side,
    rotation: Math.atan2(ly - ry, lx - rx),
  };
}

/**
 * The head's turn by the eyes' line and the line from the eyes to the mouth together, each weighing
 * as much as it is long: a profile's eyes lie on one another and have no say.
 */
export function uprightOf({ keypoints }: Detection): number {
  const [[rx, ry], [lx, ly], , [mx, my]] = keypoints as unknown as [number, number][] & [
    [number, number], [number, number], [number, number], [number, number],
  ]; // prettier-ignore
  const [downX, downY] = [mx - (rx + lx) / 2, my - (ry + ly) / 2];
  return Math.atan2(ly - ry - downX, lx - rx + downY);
}
