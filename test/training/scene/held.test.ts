import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { add, cross, dot, normalize, scale, subtract, type Vec3 } from '../../../core/geometry.js';
import { heldObjects, makePasser } from '../../../training/scene/held.js';
import type { Solid } from '../../../training/scene/loft.js';
import { Random } from '../../../training/scene/random.js';

/** Mouth, chin and corners of the eyes where the head model has them; no other vertex matters. */
const HEAD = new Float32Array(3 * 5518);
HEAD.set([0, -3.4, 11.2], 3 * 5517);
HEAD.set([0, -7.6, 10.4], 3 * 966);
HEAD.set([-4.5, 3.4, 8.6], 3 * 1507);
HEAD.set([-1.8, 3.3, 9.2], 3 * 1528);
HEAD.set([4.5, 3.4, 8.6], 3 * 3721);
HEAD.set([1.8, 3.3, 9.2], 3 * 3742);
const MIDDLE: Vec3 = [0, 0, 8];

const corners = ({ positions, triangles }: Solid, triangle: number): [Vec3, Vec3, Vec3] => {
  const corner = (k: number): Vec3 => {
    const v = 3 * triangles[3 * triangle + k]!;
    return [positions[v]!, positions[v + 1]!, positions[v + 2]!];
  };
  return [corner(0), corner(1), corner(2)];
};

/** Volume inside a body whose triangles face outwards, cubic centimetres. */
const volume = (solid: Solid): number => {
  const centre = corners(solid, 0)[0];
  return Array.from({ length: solid.triangles.length / 3 }, (_, i) => {
    const [a, b, c] = corners(solid, i).map((corner) => subtract(corner, centre)) as [Vec3, Vec3, Vec3]; // prettier-ignore
    return dot(a, cross(b, c)) / 6;
  }).reduce((sum, part) => sum + part, 0);
};

/** Whether the body stands between two points. */
const hides = (solid: Solid, from: Vec3, to: Vec3): boolean => {
  const along = subtract(to, from);
  return Array.from({ length: solid.triangles.length / 3 }, (_, i) => corners(solid, i)).some(
    ([a, b, c]) => {
      const [ab, ac] = [subtract(b, a), subtract(c, a)];
      const normal = cross(along, ac);
      const determinant = dot(ab, normal);
      if (Math.abs(determinant) < 1e-9) return false;
      const start = subtract(from, a);
      const u = dot(start, normal) / determinant;
      const q = cross(start, ab);
      const v = dot(along, q) / determinant;
      const t = dot(ac, q) / determinant;
      return u >= 0 && v >= 0 && u + v <= 1 && t > 0 && t < 1;
    },
  );
};

const seeds = fc.integer({ min: 0, max: 1e9 });

describe('what people hold before their faces', () => {
  it('is a hand of a hand’s size near the face, alone or with a thing, all facing outwards', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const solids = heldObjects(HEAD, [0.5, 0.3, 0.2], new Random(seed));
        expect([1, 2]).toContain(solids.length);
        const hand = volume(solids.at(-1)!);
        // The arm is open at the elbow, which takes the cone from there to the palm away.
        expect(hand).toBeGreaterThan(400);
        expect(hand).toBeLessThan(600);
        for (const solid of solids) {
          expect(volume(solid)).toBeGreaterThan(0);
          const nearest = Array.from({ length: solid.positions.length / 3 }, (_, v) =>
            Math.hypot(...MIDDLE.map((value, k) => solid.positions[3 * v + k]! - value)),
          ).reduce((least, distance) => Math.min(least, distance));
          expect(nearest).toBeLessThan(25);
        }
      }),
    );
  });

  it('has the hand’s tone from the person’s own skin', () => {
    const [r, g, b] = heldObjects(HEAD, [0.6, 0.3, 0.15], new Random(5)).at(-1)!.color;
    expect(r / g).toBeCloseTo(2);
    expect(g / b).toBeCloseTo(2);
  });

  it('hides the mouth from some sides at some moments and leaves it free at others', () => {
    const mouth: Vec3 = [0, -3.4, 11.6];
    const hidden = Array.from({ length: 60 }, (_, seed) => {
      const solids = heldObjects(HEAD, [0.5, 0.3, 0.2], new Random(seed));
      return [-80, 0, 80].map((x) => solids.some((solid) => hides(solid, [x, 0, 120], mouth)));
    });
    const share = hidden.flat().filter(Boolean).length / (3 * hidden.length);
    expect(share).toBeGreaterThan(0.15);
    expect(share).toBeLessThan(0.7);
    expect(hidden.some((sides) => sides.includes(true) && sides.includes(false))).toBe(true);
  });
});

describe('somebody who passes between face and camera', () => {
  it('never hides all of the face, wherever the camera stands', () => {
    const direction = fc.tuple(
      fc.double({ min: -1, max: 1, noNaN: true }),
      fc.double({ min: -0.5, max: 0.5, noNaN: true }),
    );
    fc.assert(
      fc.property(seeds, direction, fc.integer({ min: 90, max: 250 }), (seed, [x, y], distance) => {
        const camera = scale(normalize([x, y, 1]), distance);
        const passer = makePasser(camera, new Random(seed));
        const right = normalize(cross([0, 1, 0], camera));
        const up = normalize(cross(camera, right));
        const rim = Array.from({ length: 16 }, (_, i): Vec3 => {
          const angle = (2 * Math.PI * i) / 16;
          return add(scale(right, 9 * Math.cos(angle)), scale(up, 9 * Math.sin(angle)));
        });
        expect(rim.every((point) => hides(passer, camera, point))).toBe(false);
      }),
    );
  });

  it('hides some of it more often than not', () => {
    const camera: Vec3 = [30, 10, 140];
    const some = Array.from({ length: 80 }, (_, seed) => {
      const passer = makePasser(camera, new Random(seed));
      const face = [-6, 0, 6].flatMap((x) => [-8, 0, 8].map((y): Vec3 => [x, y, 9]));
      return face.some((point) => hides(passer, camera, point));
    });
    expect(some.filter(Boolean).length / some.length).toBeGreaterThan(0.5);
  });
});
