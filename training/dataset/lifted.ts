import { fitCrop, type CropSpec } from '../../encoder/crop.js';
import type { Random } from '../../encoder/random.js';
import { warpExpression, type CropPoints } from '../lift.js';
import type { LabelledGroup } from './groups.js';
import type { RenderedSet } from './rendered.js';

const POINTS = 468;
const MOST_YAW_DEG = 14;
const MOST_TURN_DEG = 7;

/** Measured landmarks move less than the face does, more so where skin has little texture. */
const [LEAST_GAIN, MOST_GAIN] = [1.2, 2.1];
/** An upper incisor's length in a crop whose eyes are 24 pixels apart: 10 of 62 mm. */
const MOST_TEETH_PX = 4;
/** Fainter expressions than this move landmarks by less than their noise. */
const LEAST_STRENGTH = 0.6;

/** How landmarks move, in crop pixels, between one rendered person's neutral face and an expression. */
export interface ExpressionMove {
  readonly label: string;
  readonly moves: CropPoints;
}

/** A real neutral face, aligned. */
export interface NeutralFace {
  readonly personId: string;
  readonly crop: Uint8Array;
  /** 468 × 3 or more picture pixels. */
  readonly landmarks: Float32Array;
  readonly pose: { readonly yawDeg: number; readonly pitchDeg: number; readonly rollDeg: number };
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
export function expressionMoves(
  set: RenderedSet,
  indices: readonly number[],
  spec: CropSpec,
): ExpressionMove[] {
  const frontal = indices.flatMap((index) => {
    const { personId, label, strength, views } = set.read(index);
    if (label !== 'neutral' && strength < LEAST_STRENGTH) return [];
    const view = views.reduce((best, one) =>
      Math.abs(one.yawDeg) < Math.abs(best.yawDeg) ? one : best,
    );
    return Math.abs(view.yawDeg) > MOST_YAW_DEG
      ? []
      : [{ personId, label, view, points: cropPoints(view.landmarks, spec) }];
  });
  const neutrals = frontal.filter(({ label }) => label === 'neutral');
  return frontal.flatMap(({ personId, label, view, points }): ExpressionMove[] => {
    const own = neutrals.find(
      (one) =>
        one.view !== view &&
        one.personId === personId &&
        Math.abs(one.view.yawDeg - view.yawDeg) < MOST_TURN_DEG &&
        Math.abs(one.view.pitchDeg - view.pitchDeg) < MOST_TURN_DEG,
    );
    return own ? [{ label, moves: points.map((value, i) => value - own.points[i]!) }] : [];
  });
}

/** Landmarks in crop pixels, moved: by 1 as measured landmarks move, by more as skin does. 468 × 3 */
function movedLandmarks(
  landmarks: Float32Array,
  spec: CropSpec,
  moves: CropPoints,
  strength: number,
): Float32Array {
  const { a, b } = fitCrop(landmarks, spec);
  const scale = Math.hypot(a, b);
  const points = cropPoints(landmarks, spec);
  return Float32Array.from({ length: 3 * POINTS }, (_, i) => {
    const [point, axis] = [Math.floor(i / 3), i % 3];
    if (axis === 2) return scale * landmarks[i]!;
    return points[2 * point + axis]! + strength * moves[2 * point + axis]!;
  });
}

/** A real face with another expression. */
export interface LiftedFace extends LabelledGroup {
  /** 468 × 3 crop pixels: where the crop shows each point of the mesh, depth in the same scale. */
  readonly mesh: Float32Array;
}

export interface LiftOptions {
  readonly labels: readonly string[];
  readonly spec: CropSpec;
  /** Pictures of a label and face. */
  readonly each: (label: string) => number;
  readonly weight: number;
}

/** Every face with every expression for which there are movements, some of them each. */
export function liftExpressions(
  faces: readonly NeutralFace[],
  moves: readonly ExpressionMove[],
  { labels, spec, each, weight }: LiftOptions,
  random: Random,
): LiftedFace[] {
  return faces.flatMap(({ personId, crop, landmarks, pose, quality }) => {
    const points = cropPoints(landmarks, spec);
    return labels.flatMap((name, label) => {
      const own = moves.filter((move) => move.label === name);
      const count = own.length === 0 ? 0 : each(name);
      return Array.from({ length: count }, (): LiftedFace => {
        const { moves: chosen } = own[random.integer(own.length)]!;
        const strength = random.between(LEAST_GAIN, MOST_GAIN);
        const teeth = random.between(0, MOST_TEETH_PX);
        return {
          personId,
          label,
          weight,
          mesh: movedLandmarks(landmarks, spec, chosen, strength),
          views: [
            {
              ...pose,
              quality,
              crop: warpExpression(crop, spec.size, points, chosen, strength, teeth),
              landmarks: movedLandmarks(landmarks, spec, chosen, 1),
            },
          ],
        };
      });
    });
  });
}
