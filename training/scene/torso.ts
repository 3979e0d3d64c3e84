import { circle, loft, type Solid } from './loft.js';
import type { Random } from './random.js';

/** Rings from neck to waist: height, half width, half depth, how far back. */
const RINGS: readonly (readonly [number, number, number, number])[] = [
  [-9.5, 6.2, 6.4, -2.6],
  [-11.5, 8.8, 7.2, -2.8],
  [-13.2, 13, 8.2, -2.9],
  [-15.2, 17.5, 9, -2.9],
  [-18, 20.3, 9.8, -2.4],
  [-22, 21.6, 10.8, -1.8],
  [-30, 22, 12.2, -1],
  [-42, 20.5, 12.4, -0.6],
  [-60, 19, 12, -0.6],
];

/** Rings of an arm from inside the shoulder down: outwards, height, forwards, radius. */
const ARM: readonly (readonly [number, number, number, number])[] = [
  [15.5, -14.6, -2.4, 3.6],
  [18.2, -16, -2.4, 5.6],
  [20.4, -19.5, -2.2, 6.2],
  [21.8, -25, -1.8, 5.8],
  [23, -34, -1, 5.2],
  [23.6, -44, 0.5, 4.7],
  [22.5, -56, 6, 4],
];

/** A clothed upper body below the head model's bust: a loft of flattened ellipses with two lofts for the arms. */
export function makeTorso(random: Random): Solid {
  const width = random.uniform(0.9, 1.12);
  const positions: number[] = [];
  const triangles: number[] = [];
  const body = RINGS.map(([y, halfWidth, halfDepth, back], ring) =>
    circle((sine, cosine) => {
      // Exponent 0.8: fuller than an ellipse, as shoulders are.
      const bend = (value: number): number => Math.sign(value) * Math.abs(value) ** 0.8;
      // The collar is lower in front, where the bust shows.
      const dip = ring < 4 ? 3.2 * Math.max(0, cosine) : 0;
      return [bend(sine) * halfWidth * width, y - dip, bend(cosine) * halfDepth + back];
    }),
  );
  loft(body, positions, triangles);
  for (const side of [1, -1]) {
    const arm = ARM.map(([x, y, z, radius]) =>
      circle((sine, cosine) => [side * x * width + radius * sine, y, z + 1.1 * radius * cosine]),
    );
    loft(arm, positions, triangles);
  }
  const hue = random.next() * 2 * Math.PI;
  const value = Math.exp(random.uniform(-3.2, -0.4));
  const color = [0, 2.09, 4.19].map((shift) => value * (1 + 0.35 * Math.sin(hue + shift)));
  return {
    positions: Float32Array.from(positions),
    triangles: Uint32Array.from(triangles),
    color: [color[0]!, color[1]!, color[2]!],
  };
}
