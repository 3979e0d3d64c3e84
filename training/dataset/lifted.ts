import type { Vec3 } from '../../core/geometry.js';
import { alignedCrop, meshInCrop, type CropSpec } from '../../encoder/crop.js';
import { alignMeshes, applySimilarity } from '../../encoder/geometry.js';
import type { Random } from '../../encoder/random.js';
import { warpExpression } from '../lift.js';
import type { Painted, RgbPicture } from '../warp.js';
import { framesFor, moveMesh, type MeshShapes } from '../scene/mesh-shapes.js';
import { Random as SceneRandom } from '../scene/random.js';
import type { RenderedSet } from './rendered.js';

const POINTS = 468;
/** Faces turned further apart than this differ by what their turn hides, not by their shape alone. */
const MOST_TURN_DEG = 7;

/** Of a rendered movement: faces at rest vary widely, and expressions are told from all of them. */
const AT_REST = [0, 2] as const;
const EXPRESSIVE = [0.9, 1.5] as const;
/** People rest with a hint of any expression, up to this share of it; but a hint of a smile is a smile. */
const MOST_HINT = 0.45;
/** Fainter expressions than this could be taken for another way to rest. */
const LEAST_STRENGTH = 0.75;
const ZERO: Vec3 = [0, 0, 0];
/** Pixels of LIFTED_PICTURE, a millimetre or so: where an expression moves less it can be undone. */
const FAINT_PX = 1;
/** An upper incisor's length in eye distances: 10 of 62 mm. */
const MOST_TEETH = 0.16;

/** Weights of expression shapes by name: a rendered person's at one moment, less the mean at rest. */
export interface ExpressionMove {
  readonly label: string;
  readonly weights: ReadonlyMap<string, number>;
}

/**
 * What is lifted: finer and wider than the encoder's input, which is cut from it last, so that pixels
 * stay sharp and a turned face has surroundings.
 */
export const LIFTED_PICTURE: CropSpec = { size: 384, eyeDistancePx: 72, eyeLinePx: 159 };

/** How a real face rests. */
export interface RestingFace {
  readonly personId: string;
  /** 468 × 3 or more picture pixels. */
  readonly landmarks: Float32Array;
  readonly pose: { readonly yawDeg: number; readonly pitchDeg: number; readonly rollDeg: number };
}

/** A real neutral face in its picture. */
export interface NeutralFace extends RestingFace {
  readonly picture: RgbPicture;
}

/**
 * From a face at rest to every strong expression of the set, and to each of its moments at rest. The
 * renderer's own weights, not what landmarks show of them: on renders the landmark model sees half of a
 * smile's width, a quarter of a brow's drop and a tenth of a blink; on skin that is real it sees more.
 */
export function expressionMoves(set: RenderedSet, indices: readonly number[]): ExpressionMove[] {
  const captures = indices.map((index) => set.capture(index));
  const atRest = captures.filter(({ label }) => label === 'neutral');
  const rest = set.shapeNames.map(
    (_, i) => atRest.reduce((sum, { shapes }) => sum + shapes[i]!, 0) / Math.max(1, atRest.length),
  );
  return captures
    .filter(({ label, strength }) => label === 'neutral' || strength >= LEAST_STRENGTH)
    .map(({ label, shapes }) => ({
      label,
      weights: new Map(set.shapeNames.map((name, i) => [name, shapes[i]! - rest[i]!])),
    }));
}

const seenAlike = (one: RestingFace['pose'], other: RestingFace['pose']): boolean =>
  Math.abs(one.yawDeg - other.yawDeg) <= MOST_TURN_DEG &&
  Math.abs(one.pitchDeg - other.pitchDeg) <= MOST_TURN_DEG;

/**
 * From one mesh to another, but for the turn between the two heads: seven degrees move a nose's tip by
 * four pixels of LIFTED_PICTURE. Nowhere where a mesh spans no space. 468 × 3
 */
function wayBetween(own: Float32Array, other: Float32Array): Float32Array {
  const similarity = alignMeshes(other, own);
  if (similarity === undefined) return new Float32Array(own.length);
  return applySimilarity(similarity, other).map((value, i) => value - own[i]!);
}

/**
 * A way between two faces less what of it leads against an expression: lent whole, high brows would
 * leave of anger no more than somebody's face at rest. 468 × 3
 */
function withoutUndoing(way: Float32Array, expression: Float32Array): Float32Array {
  const out = way.slice();
  for (let i = 0; i < out.length; i += 3) {
    const move = expression.subarray(i, i + 3);
    const [along, length] = [dotOf(way.subarray(i, i + 3), move), dotOf(move, move)];
    const share = Math.min(0, along) / (length + FAINT_PX ** 2);
    for (let k = 0; k < 3; k++) out[i + k]! -= share * move[k]!;
  }
  return out;
}

const dotOf = (one: Float32Array, other: Float32Array): number =>
  one.reduce((sum, value, k) => sum + value * other[k]!, 0);

/** In pixels of LIFTED_PICTURE. 468 × 3 */
const liftedMesh = (landmarks: Float32Array): Float32Array =>
  meshInCrop(landmarks.subarray(0, 3 * POINTS), LIFTED_PICTURE);

/** A real face with another expression. */
export interface LiftedFace {
  readonly personId: string;
  /** Index into the labels. */
  readonly label: number;
  /** Cut as LIFTED_PICTURE says, grey. */
  readonly picture: RgbPicture;
  /** 468 × 3 pixels: where the picture shows each point of the mesh, depth in the same scale. */
  readonly mesh: Float32Array;
  /** Glasses, in the mesh's pixels; the picture does not show them. */
  readonly worn?: Painted;
}

export interface LiftOptions {
  readonly labels: readonly string[];
  readonly shapes: MeshShapes;
  /** Of the mesh, three indices each. */
  readonly triangles: readonly number[];
  /** Pictures of a label and face. */
  readonly each: number;
  /** Share of the pictures whose face wears glasses, 0–1. */
  readonly glasses: number;
  /**
   * Faces become up to 1 + this times as tall, or as wide, as they are. Here rather than in a batch: the
   * landmark model, which knows how tall faces mostly are, follows a picture only in part.
   */
  readonly stretch: number;
}

/**
 * A face with every expression for which there are movements, some of them each. Each starts from a
 * shape somewhere between the face's own and another person's, so that a mouth or brow that rests as few
 * do is not taken for an expression; an expression is not undone by it.
 * None of a mesh that spans no space.
 * @param others neutral faces whose shapes are lent; those turned otherwise are passed over.
 */
export function liftExpressions(
  { personId, picture, landmarks, pose }: NeutralFace,
  others: readonly RestingFace[],
  moves: readonly ExpressionMove[],
  { labels, shapes, triangles, each, glasses, stretch }: LiftOptions,
  random: Random,
): LiftedFace[] {
  const own = liftedMesh(landmarks);
  const head = alignMeshes(shapes.rest, own);
  if (head === undefined) return [];
  const still = new Float32Array(own.length);
  const ways = others
    .filter((one) => one.personId !== personId && seenAlike(one.pose, pose))
    .map((one) => wayBetween(own, liftedMesh(one.landmarks)));
  const { size, eyeDistancePx } = LIFTED_PICTURE;
  const grey = new Uint8Array(size ** 2);
  alignedCrop(picture.pixels, picture.width, picture.height, landmarks, LIFTED_PICTURE, grey);
  const atRest = { width: size, height: size, pixels: rgbOf(grey) };
  const laid = ({ weights }: ExpressionMove): Float32Array =>
    applySimilarity({ ...head, from: ZERO, to: ZERO }, moveMesh(shapes, weights));
  const hinted = moves.filter(({ label }) => label !== 'neutral' && label !== 'happiness');
  return labels.flatMap((name, label) => {
    const known = moves.filter((move) => move.label === name);
    const rests = name === 'neutral';
    return Array.from({ length: known.length === 0 ? 0 : each }, (): LiftedFace => {
      const expression = laid(known[random.integer(known.length)]!);
      const [least, most] = rests ? AT_REST : EXPRESSIVE;
      const gain = random.between(least, most);
      const hint =
        rests && hinted.length > 0 ? laid(hinted[random.integer(hinted.length)]!) : still;
      const hints = random.between(0, MOST_HINT);
      const whole = ways[random.integer(ways.length)] ?? still;
      const way = rests ? whole : withoutUndoing(whole, expression);
      const lent = random.uniform();
      const tall = stretch === 0 ? 1 : (1 + stretch) ** random.between(-1, 1);
      const mesh = own.map(
        (value, i) => value + gain * expression[i]! + lent * way[i]! + hints * hint[i]!,
      );
      stretchUpright(mesh, tall);
      const teethPx = random.between(0, MOST_TEETH * eyeDistancePx);
      const moved = warpExpression(atRest, own, mesh, triangles, { eyeDistancePx, teethPx });
      const lifted = { personId, label, mesh, picture: moved };
      if (glasses === 0 || random.uniform() >= glasses) return lifted;
      const frames = framesFor(shapes, new SceneRandom(random.integer(2 ** 31)));
      const positions = applySimilarity(head, frames.positions);
      stretchUpright(positions, tall);
      return { ...lifted, worn: { ...frames, positions } };
    });
  });
}

/** Makes a mesh in LIFTED_PICTURE so many times as tall as it is wide, about the picture's middle. N × 3 */
function stretchUpright(mesh: Float32Array, tall: number): void {
  const middle = LIFTED_PICTURE.size / 2;
  for (let i = 0; i < mesh.length; i += 3) {
    mesh[i] = middle + (mesh[i]! - middle) / Math.sqrt(tall);
    mesh[i + 1] = middle + (mesh[i + 1]! - middle) * Math.sqrt(tall);
  }
}

const rgbOf = (grey: Uint8Array): Uint8Array =>
  Uint8Array.from({ length: 3 * grey.length }, (_, i) => grey[Math.floor(i / 3)]!);
