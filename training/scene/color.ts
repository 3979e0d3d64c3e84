/** sRGB byte to linear light, 0–1 (IEC 61966-2-1). */
export const SRGB_TO_LINEAR = Float32Array.from({ length: 256 }, (_, i) => {
  const v = i / 255;
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
});

const STEPS = 4096;
const LINEAR_TO_SRGB = Float32Array.from({ length: STEPS + 1 }, (_, i) => {
  const v = i / STEPS;
  return 255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);
});

/** Linear light to an sRGB value, 0–255, not rounded; clips. */
export function linearToSrgb(value: number): number {
  return LINEAR_TO_SRGB[value <= 0 ? 0 : value >= 1 ? STEPS : Math.round(value * STEPS)]!;
}
