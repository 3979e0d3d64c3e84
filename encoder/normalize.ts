/** Soft ellipse inside the crop, in crop pixels; outside it the network sees zeros. */
export interface CropMask {
  readonly centreX: number;
  readonly centreY: number;
  readonly radiusX: number;
  readonly radiusY: number;
  /** Width of the border over which the mask falls from 1 to 0. */
  readonly softPx: number;
}

/** Covers brows, eyes, nose, cheeks and an open mouth of the default crop; hair and ears fade. */
export const DEFAULT_MASK: CropMask = {
  centreX: 32,
  centreY: 33,
  radiusX: 27,
  radiusY: 31,
  softPx: 5,
};

/** Deviations below this many grey levels are noise and are not stretched further. */
const LEAST_DEVIATION = 3;

export type Normalizer = (crop: Uint8Array, out: Float32Array) => void;

/** The mask's weight a pixel, row-major, 0–1. */
export function maskWeights(size: number, mask: CropMask): Float32Array {
  const weights = new Float32Array(size * size);
  const mean = (mask.radiusX + mask.radiusY) / 2;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const radius = Math.hypot(
        (x + 0.5 - mask.centreX) / mask.radiusX,
        (y + 0.5 - mask.centreY) / mask.radiusY,
      );
      weights[y * size + x] = Math.min(1, Math.max(0, ((1 - radius) * mean) / mask.softPx));
    }
  }
  return weights;
}

/**
 * Grey bytes to the network's input: mean and deviation under the mask go to 0 and 1, then the
 * mask is applied. Light and contrast of the camera leave no trace.
 */
export function cropNormalizer(size: number, mask: CropMask): Normalizer {
  const weights = maskWeights(size, mask);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return (crop, out) => {
    let [sum, square] = [0, 0];
    for (let i = 0; i < weights.length; i++) {
      const value = weights[i]! * crop[i]!;
      sum += value;
      square += value * crop[i]!;
    }
    const mean = sum / total;
    const deviation = Math.sqrt(Math.max(0, square / total - mean * mean));
    const gain = 1 / Math.max(LEAST_DEVIATION, deviation);
    for (let i = 0; i < weights.length; i++) out[i] = (crop[i]! - mean) * gain * weights[i]!;
  };
}
