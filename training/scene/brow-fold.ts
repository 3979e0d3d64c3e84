import { SKIN_VERTICES, type HeadModel } from './head-model.js';
import { meshPoint, meshPoints } from './mesh468.js';
import { smoothStep } from './smooth.js';

/**
 * The skin between upper lid and brow. At rest most of it lies folded behind the lid's crease, dark with
 * shadow and brow hair; a photo of a face at rest shows no more of it. Where brows rise it unfolds.
 */

interface Side {
  /** Mesh points along the upper lid and along the brow's lower edge, from nose to temple. */
  readonly lid: readonly number[];
  readonly brow: readonly number[];
}
const SIDES: readonly Side[] = [
  { lid: [133, 173, 157, 158, 159, 160, 161, 246, 33], brow: [55, 65, 52, 53, 46] },
  { lid: [362, 398, 384, 385, 386, 387, 388, 466, 263], brow: [285, 295, 282, 283, 276] },
];
/** A brow that rises by these centimetres shows none and all of the fold. */
const UNFOLDS_CM = [0.05, 0.35] as const;

/** Its colour in shares of the cheeks': lids are darker. */
const DARKER = 0.85;

const known = new WeakMap<HeadModel, readonly Float32Array[]>();

/** 0–1 a skin vertex, for each side: how much it belongs to the fold. */
function foldsOf(model: HeadModel): readonly Float32Array[] {
  let folds = known.get(model);
  if (folds === undefined) {
    const points = meshPoints(model.neutral);
    folds = SIDES.map((side) => foldOf(model, points, side));
    known.set(model, folds);
  }
  return folds;
}

/** Gives what is folded the colour of skin; linear RGB a vertex. */
export function paintFolds(
  model: HeadModel,
  albedo: Float32Array,
  tone: readonly [number, number, number],
): void {
  for (const fold of foldsOf(model)) {
    fold.forEach((share, v) => {
      for (let k = 0; k < 3; k++) {
        const own = albedo[3 * v + k]!;
        albedo[3 * v + k] = own + share * (DARKER * tone[k]! - own);
      }
    });
  }
}

/**
 * How far the photo still shows what is there: `blend`, less the folds where the brows are raised.
 * @param head the person at rest; centimetres
 * @param moved the same vertices with an expression
 */
export function unfold(
  model: HeadModel,
  blend: Float32Array,
  head: Float32Array,
  moved: Float32Array,
): Float32Array {
  const out = Float32Array.from(blend);
  foldsOf(model).forEach((fold, side) => {
    const { brow } = SIDES[side]!;
    const raised = brow.reduce((sum, i) => sum + meshPoint(moved, i)[1] - meshPoint(head, i)[1], 0);
    const bare = smoothStep(...UNFOLDS_CM, raised / brow.length);
    if (bare > 0) fold.forEach((share, v) => (out[v]! *= 1 - bare * share));
  });
  return out;
}

function foldOf({ neutral }: HeadModel, points: Float32Array, { lid, brow }: Side): Float32Array {
  const out = new Float32Array(SKIN_VERTICES);
  const [below, above] = [heightAlong(points, lid), heightAlong(points, brow)];
  const ends = lid.map((i) => points[3 * i]!);
  const [from, to] = [Math.min(...ends), Math.max(...ends)];
  for (let v = 0; v < SKIN_VERTICES; v++) {
    const [x, y, z] = [neutral[3 * v]!, neutral[3 * v + 1]!, neutral[3 * v + 2]!];
    if (x < from - 0.6 || x > to + 0.6 || z < 2) continue;
    const share = (y - below(x)) / (above(x) - below(x));
    const within = smoothStep(-0.6, 0.1, Math.min(x - from, to - x));
    out[v] = within * smoothStep(0.1, 0.35, share) * (1 - smoothStep(0.7, 0.95, share));
  }
  return out;
}

/** Height of a line of mesh points over x, level beyond its ends. */
function heightAlong(points: Float32Array, line: readonly number[]): (x: number) => number {
  const knots = line
    .map((i) => [points[3 * i]!, points[3 * i + 1]!] as const)
    .sort((a, b) => a[0] - b[0]);
  return (x) => {
    const next = knots.findIndex(([at]) => at > x);
    if (next <= 0) return (next === 0 ? knots[0] : knots.at(-1))![1];
    const [[x0, y0], [x1, y1]] = [knots[next - 1]!, knots[next]!];
    return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
  };
}
