import { makeLenses, type Lenses } from './lens.js';
import { tube, type Point, type Solid } from './loft.js';
import type { Random } from './random.js';

/** Outer and inner eye corners of the model, the person's right and left eye. */
const EYES = [
  [1507, 1528],
  [3721, 3742],
] as const;
const NOSE_BRIDGE = 978;
/** Radii in the model's units, about a centimetre. */
const HAIRLINE = 0.03;
const [THICK, HALF_RIMMED] = [0.4, 0.4];
/** How far frames sit below (negative) or above the middle of the eyes: high ones hide the brows. */
const SITS = [-0.45, 0.3] as const;

export interface Glasses {
  readonly frame: Solid;
  readonly lenses: Lenses;
}

/** Frames of a random shape that sit before this head's eyes, with temples to the ears. */
export function makeGlasses(head: Float32Array, random: Random): Glasses {
  const positions: number[] = [];
  const triangles: number[] = [];
  const rims: Point[][] = [];
  const [halfWidth, halfHeight] = [random.uniform(2.2, 2.8), random.uniform(1.5, 2.2)];
  const square = random.uniform(0.55, 1);
  const wire = random.chance(THICK) ? random.uniform(0.28, 0.45) : random.uniform(0.09, 0.28);
  const below = random.chance(HALF_RIMMED) ? HAIRLINE : wire;
  const tones = [0.01, 0.01, 0.03, 0.12, 0.3];
  const tone = random.pick(tones);
  const tint = random.uniform(0, 0.5);
  const height = random.uniform(...SITS);
  for (const [outer, inner] of EYES) {
    const side = Math.sign(head[3 * outer]!);
    const middle = [0, 1, 2].map((k) => (head[3 * outer + k]! + head[3 * inner + k]!) / 2);
    const centre: Point = [
      middle[0]!,
      middle[1]! + height,
      Math.max(middle[2]!, head[3 * NOSE_BRIDGE + 2]! - 1) + 1.1,
    ];
    const bend = (value: number): number => Math.sign(value) * Math.abs(value) ** square;
    const rim = Array.from({ length: 29 }, (_, i): Point => {
      const angle = (2 * Math.PI * i) / 28;
      const x = bend(Math.cos(angle)) * halfWidth;
      // Frames follow the face backwards towards the temples.
      const back = 0.06 * Math.max(0, x * side) ** 2;
      return [centre[0] + x, centre[1] + bend(Math.sin(angle)) * halfHeight, centre[2] - back];
    });
    rims.push(rim);
    tube(rim, (i) => (i < rim.length / 2 ? wire : below), positions, triangles);
    const hinge: Point = [
      centre[0] + side * halfWidth,
      centre[1] + 0.5,
      centre[2] - 0.06 * halfWidth ** 2,
    ];
    const ear: Point = [side * Math.max(7.6, Math.abs(hinge[0]) + 1), hinge[1] + 0.2, 0.5];
    tube([hinge, [ear[0], (hinge[1] + ear[1]) / 2, 6.5], ear], () => wire, positions, triangles);
    const nose: Point = [0, centre[1] + 0.7, centre[2] + 0.25];
    tube(
      [[centre[0] - side * halfWidth, centre[1] + 0.3, centre[2]], nose],
      () => wire,
      positions,
      triangles,
    );
  }
  const frame: Solid = {
    positions: Float32Array.from(positions),
    triangles: Uint32Array.from(triangles),
    color: [tone, tone * (1 - tint), tone * (1 - tint)],
  };
  return { frame, lenses: makeLenses(rims, random) };
}
