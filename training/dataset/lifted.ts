import { alignedCrop, fitCrop, type CropSpec } from '../../encoder/crop.js';
import type { Random } from '../../encoder/random.js';
import { warpExpression, type CropPoints } from '../lift.js';
import type { TurnedPicture } from '../turn.js';
import type { LabelledGroup } from './groups.js';
import type { RenderedSet } from './rendered.js';

const POINTS = 468;
const MOST_YAW_DEG = 14;
const MOST_TURN_DEG = 7;

/** Measured landmarks move less than the face does, more so where skin has little texture. */
const [LEAST_GAIN, MOST_GAIN] = [1.2, 2.1];
/** An upper incisor's length in eye distances: 10 of 62 mm. */
const MOST_TEETH = 0.16;
/** Fainter expressions than this move landmarks by less than their noise. */
const LEAST_STRENGTH = 0.6;

/** How landmarks move, in pixels of LIFTED_PICTURE, between one rendered person's neutral face and an expression. */
export interface ExpressionMove {
  readonly label: string;
  readonly moves: CropPoints;
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
  readonly picture: TurnedPicture;
  readonly quality: number;
}

/** Landmarks in the crop that is cut by them. @param landmarks 468 × 3 picture pixels. */
export function cropPoints(landmarks: Float32Array, spec: CropSpec): CropPoints {
  const { a, b, tx, ty } = fitCrop(landmarks, spec);
  return Float32Array.from({ length: 2 * POINTS }, (_, i) => {
    const [x, y] = [landmarks[3 * (i >> 1)]!, landmarks[3 * (i >> 1) + 1]!];
    return i % 2 === 0 ? a * x - b * y + tx : b * x + a * y + ty;
  });
}

/**
 * Movements of the set's frontal faces against the same person's neutral face, seen alike; those of
 * neutral faces against another moment at rest.
 */
export function expressionMoves(set: RenderedSet, indices: readonly number[]): ExpressionMove[] {
  const frontal = indices.flatMap((index) => {
    const { personId, label, strength, views } = set.read(index);
    if (label !== 'neutral' && strength < LEAST_STRENGTH) return [];
    const view = views.reduce((best, one) =>
      Math.abs(one.yawDeg) < Math.abs(best.yawDeg) ? one : best,
    );
    return Math.abs(view.yawDeg) > MOST_YAW_DEG
      ? []
      : [{ personId, label, view, points: cropPoints(view.landmarks, LIFTED_PICTURE) }];
  });
  const neutrals = frontal.filter(({ label }) => label === 'neutral');
  return frontal.flatMap(({ personId, label, view, points }): ExpressionMove[] => {
    const own = neutrals.find(
      (one) => one.view !== view && one.personId === personId && seenAlike(one.view, view),
    );
    return own ? [{ label, moves: points.map((value, i) => value - own.points[i]!) }] : [];
  });
}

/** Faces turned further apart than this differ by their turn, not by their shape. */
function seenAlike(one: RestingFace['pose'], other: RestingFace['pose']): boolean {
  return (
    Math.abs(one.yawDeg - other.yawDeg) < MOST_TURN_DEG &&
    Math.abs(one.pitchDeg - other.pitchDeg) < MOST_TURN_DEG
  );
}

/** From a face's landmarks to those of each other person who is seen alike, in pixels of LIFTED_PICTURE. */
function waysToOthers(own: RestingFace, others: readonly RestingFace[]): CropPoints[] {
  const points = cropPoints(own.landmarks, LIFTED_PICTURE);
  return others
    .filter(({ personId, pose }) => personId !== own.personId && seenAlike(pose, own.pose))
    .map(({ landmarks }) =>
      cropPoints(landmarks, LIFTED_PICTURE).map((value, i) => value - points[i]!),
    );
}

/** Landmarks in pixels of LIFTED_PICTURE, moved. 468 × 3 */
function movedLandmarks(landmarks: Float32Array, moves: CropPoints): Float32Array {
  const { a, b } = fitCrop(landmarks, LIFTED_PICTURE);
  const scale = Math.hypot(a, b);
  const points = cropPoints(landmarks, LIFTED_PICTURE);
  return Float32Array.from({ length: 3 * POINTS }, (_, i) => {
    const [point, axis] = [Math.floor(i / 3), i % 3];
    if (axis === 2) return scale * landmarks[i]!;
    return points[2 * point + axis]! + moves[2 * point + axis]!;
  });
}

/** A real face with another expression. */
export interface LiftedFace extends LabelledGroup {
  /** Cut as LIFTED_PICTURE says, grey. */
  readonly picture: TurnedPicture;
  /** 468 × 3 pixels: where the picture shows each point of the mesh, depth in the same scale. */
  readonly mesh: Float32Array;
}

export interface LiftOptions {
  readonly labels: readonly string[];
  /** Of the encoder's input. */
  readonly spec: CropSpec;
  /** Pictures of a label and face. */
  readonly each: number;
  readonly weight: number;
}

/**
 * A face with every expression for which there are movements, some of them each. Each starts from a
 * shape somewhere between the face's own and another person's, so that a mouth or brow that rests as few
 * do is not taken for an expression.
 * @param others neutral faces whose shapes are lent; those turned otherwise are passed over.
 */
export function liftExpressions(
  face: NeutralFace,
  others: readonly RestingFace[],
  moves: readonly ExpressionMove[],
  { labels, spec, each, weight }: LiftOptions,
  random: Random,
): LiftedFace[] {
  const { personId, picture, landmarks, pose, quality } = face;
  const points = cropPoints(landmarks, LIFTED_PICTURE);
  const still = new Float32Array(points.length);
  const shapes = waysToOthers(face, others);
  const { size, eyeDistancePx } = LIFTED_PICTURE;
  const neutral = cut(picture, landmarks, LIFTED_PICTURE);
  return labels.flatMap((name, label) => {
    const own = moves.filter((move) => move.label === name);
    const count = own.length === 0 ? 0 : each;
    return Array.from({ length: count }, (): LiftedFace => {
      const expression = own[random.integer(own.length)]!.moves;
      const gain = random.between(LEAST_GAIN, MOST_GAIN);
      const shape = shapes[random.integer(shapes.length)] ?? still;
      const lent = random.uniform();
      const moved = (by: number): CropPoints =>
        expression.map((value, i) => by * value + lent * shape[i]!);
      const teeth = random.between(0, MOST_TEETH * eyeDistancePx);
      const grey = warpExpression(neutral, LIFTED_PICTURE, points, moved(gain), teeth);
      const lifted = { width: size, height: size, pixels: rgbOf(grey) };
      const seen = movedLandmarks(landmarks, moved(1));
      const view = { ...pose, quality, crop: cut(lifted, seen, spec), landmarks: seen };
      const mesh = movedLandmarks(landmarks, moved(gain));
      return { personId, label, weight, picture: lifted, mesh, views: [view] };
    });
  });
}

function cut(
  { pixels, width, height }: TurnedPicture,
  landmarks: Float32Array,
  spec: CropSpec,
): Uint8Array {
  const crop = new Uint8Array(spec.size ** 2);
  alignedCrop(pixels, width, height, landmarks, spec, crop);
  return crop;
}

const rgbOf = (grey: Uint8Array): Uint8Array =>
  Uint8Array.from({ length: 3 * grey.length }, (_, i) => grey[Math.floor(i / 3)]!);
