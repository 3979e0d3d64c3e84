import type { Texture } from './rasterise.js';

/** Side of the eye's texture; the model's eyeball coordinates put the pupil at its centre. */
export const EYE_SIDE = 192;

const IRIS_RADIUS = 0.122;

/** A painted eyeball: white with a little red, dark ring, iris with spokes, pupil. */
export function paintEye(iris: readonly [number, number, number], pupilRadius = 0.045): Texture {
  const data = new Float32Array(EYE_SIDE * EYE_SIDE * 3);
  for (let y = 0; y < EYE_SIDE; y++) {
    for (let x = 0; x < EYE_SIDE; x++) {
      const [dx, dy] = [(x + 0.5) / EYE_SIDE - 0.5, (y + 0.5) / EYE_SIDE - 0.5];
      const radius = Math.hypot(dx, dy);
      const spoke = 1 + 0.25 * Math.sin(Math.atan2(dy, dx) * 23 + Math.sin(radius * 160));
      const inIris = 1 - ramp(IRIS_RADIUS - 0.008, IRIS_RADIUS + 0.008, radius);
      const inPupil = 1 - ramp(pupilRadius - 0.006, pupilRadius + 0.006, radius);
      const limbus = 1 - 0.55 * ramp(IRIS_RADIUS - 0.035, IRIS_RADIUS, radius);
      const red = ramp(0.2, 0.45, radius);
      const white = [0.62 - 0.05 * red, 0.57 - 0.22 * red, 0.53 - 0.22 * red];
      for (let k = 0; k < 3; k++) {
        const ring = Math.min(0.5, Math.max(0.012, iris[k]!)) * limbus * spoke;
        const painted = ring + inPupil * (0.004 - ring);
        data[3 * (y * EYE_SIDE + x) + k] = white[k]! + inIris * (painted - white[k]!);
      }
    }
  }
  return { width: EYE_SIDE, height: EYE_SIDE, data };
}

function ramp(from: number, to: number, value: number): number {
  return Math.min(1, Math.max(0, (value - from) / (to - from)));
}
