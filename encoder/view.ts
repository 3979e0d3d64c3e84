import { embedGeometry, type Geometry } from './geometry.js';
import type { Normalizer } from './normalize.js';

/**
 * A view stands in the network's batch twice, as it is and mirrored, and the mean of both is its embedding:
 * a face and its mirror image show the same expression, and what the network reads into one side
 * of a face alone cancels out (docs/results.md has the gain).
 */
export const ROWS_PER_VIEW = 2;

/** One view's input rows, from its crop. @param out {@link ROWS_PER_VIEW} × size² numbers. */
export type ViewPreparer = (crop: Uint8Array, out: Float32Array) => void;

/** @param size side of the crop. @param normalize what one row goes through. */
export function viewPreparer(size: number, normalize: Normalizer): ViewPreparer {
  const area = size * size;
  const mirrored = new Uint8Array(area);
  return (crop, out) => {
    for (let row = 0; row < area; row += size) {
      for (let x = 0; x < size; x++) mirrored[row + x] = crop[row + size - 1 - x]!;
    }
    normalize(crop, out.subarray(0, area));
    normalize(mirrored, out.subarray(area, 2 * area));
  };
}

/**
 * The embedding of a view, of length 1: the mean over its rows of the pixels' unit vector and the geometry's, by
 * their shares.
 * @param pixels the network's answers to the view's rows, one after the other.
 * @param landmarks N × 3 of the 468- or 478-point mesh.
 */
export function joinView(
  pixels: Float32Array,
  geometry: Geometry | undefined,
  landmarks: Float32Array,
): Float32Array {
  const width = pixels.length / ROWS_PER_VIEW;
  const [bent, mirrored] = geometry ? embedGeometry(geometry, landmarks) : [[], []];
  const out = new Float32Array(width + bent.length);
  const factor = Math.sqrt(1 - (geometry?.share ?? 0));
  for (let i = 0; i < width; i++) out[i] = factor * (pixels[i]! + pixels[width + i]!);
  for (let i = 0; i < bent.length; i++) out[width + i] = bent[i]! + mirrored[i]!;
  const length = Math.max(Math.hypot(...out), 1e-12);
  return out.map((value) => value / length);
}
