import type { HeadPose } from '../../core/types.js';
import type { Pixels } from './region.js';

export interface ViewEvidence {
  readonly pose: HeadPose;
  /** Distance the eyes would have looking here. */
  readonly eyeDistancePx: number;
  readonly presence: number;
  readonly landmarks: Float32Array;
  readonly picture: Pixels;
  readonly crop: Uint8Array;
  readonly cropSize: number;
}

/** Eye distance from which on more pixels tell the encoder nothing new (its crop's own). */
const ENOUGH_EYES_PX = 24;
/** Detail (see {@link sharpness}) of a view that is sharp enough to lose nothing. */
const SHARP = 0.12;

/** How much a view can be trusted, 0–1: the product of size, sharpness, pose, presence and being whole. */
export function viewQuality(evidence: ViewEvidence): number {
  const { pose, eyeDistancePx, presence, landmarks, picture, crop, cropSize } = evidence;
  const size = Math.min(1, eyeDistancePx / ENOUGH_EYES_PX);
  const sharp = Math.min(1, sharpness(crop, cropSize) / SHARP);
  return size * Math.sqrt(sharp) * poseFactor(pose) * presence * shareInside(landmarks, picture);
}

/** 1 straight on, falling with the cosine of the angle off the line of sight to 0.1 at a profile. */
function poseFactor({ yawDeg, pitchDeg }: HeadPose): number {
  const cos = Math.cos((yawDeg * Math.PI) / 180) * Math.cos((pitchDeg * Math.PI) / 180);
  return 0.1 + 0.9 * Math.max(0, cos);
}

/** Share of the landmarks that lie in the picture. */
function shareInside(landmarks: Float32Array, { width, height }: Pixels): number {
  let inside = 0;
  for (let i = 0; i < landmarks.length; i += 3) {
    const [x, y] = [landmarks[i]!, landmarks[i + 1]!];
    if (x >= 0 && y >= 0 && x <= width && y <= height) inside++;
  }
  return (3 * inside) / landmarks.length;
}

/**
 * Detail of a crop: deviation of its 4-neighbour Laplacian over its own deviation, so that contrast
 * and light cancel. 0 for a flat crop.
 */
function sharpness(crop: Uint8Array, size: number): number {
  let [sum, squares, edges] = [0, 0, 0];
  for (let y = 1; y < size - 1; y++) {
    for (let x = 1; x < size - 1; x++) {
      const at = y * size + x;
      const level = crop[at]!;
      const edge =
        (crop[at - 1]! + crop[at + 1]! + crop[at - size]! + crop[at + size]!) / 4 - level;
      sum += level;
      squares += level * level;
      edges += edge * edge;
    }
  }
  const count = (size - 2) ** 2;
  const variance = squares / count - (sum / count) ** 2;
  return variance > 1 ? Math.sqrt(edges / count / variance) : 0;
}
