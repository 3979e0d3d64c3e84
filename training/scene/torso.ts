import type { Random } from './random.js';

/** Shoulders and chest below the head model's bust, in head axes and centimetres. */
export interface Torso {
  readonly positions: Float32Array;
  readonly triangles: Uint32Array;
  readonly color: readonly [number, number, number];
}

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
const SEGMENTS = 40;

/** A loft of flattened ellipses: a clothed upper body. `width`: factor on the shoulders. */
export function makeTorso(random: Random): Torso {
  const width = random.uniform(0.9, 1.12);
  const positions: number[] = [];
  const triangles: number[] = [];
  RINGS.forEach(([y, halfWidth, halfDepth, back], ring) => {
    for (let s = 0; s < SEGMENTS; s++) {
      const angle = (2 * Math.PI * s) / SEGMENTS;
      // Exponent 0.8: fuller than an ellipse, as shoulders are.
      const bend = (value: number): number => Math.sign(value) * Math.abs(value) ** 0.8;
      // The collar is lower in front, where the bust shows.
      const dip = ring < 4 ? 3.2 * Math.max(0, Math.cos(angle)) : 0;
      positions.push(
        bend(Math.sin(angle)) * halfWidth * width,
        y - dip,
        bend(Math.cos(angle)) * halfDepth + back,
      );
      if (ring === 0) continue;
      const [a, b] = [(ring - 1) * SEGMENTS + s, (ring - 1) * SEGMENTS + ((s + 1) % SEGMENTS)];
      const [c, d] = [a + SEGMENTS, b + SEGMENTS];
      triangles.push(a, c, b, b, c, d);
    }
  });
  const hue = random.next() * 2 * Math.PI;
  const value = Math.exp(random.uniform(-3.2, -0.4));
  const color = [0, 2.09, 4.19].map((shift) => value * (1 + 0.5 * Math.sin(hue + shift)));
  return {
    positions: Float32Array.from(positions),
    triangles: Uint32Array.from(triangles),
    color: [color[0]!, color[1]!, color[2]!],
  };
}
