import { describe, expect, it } from 'vitest';
import { apply, rotationFromVector, toRadians } from '../../core/geometry.js';
import { alignedCrop, DEFAULT_CROP, fitCrop } from '../../encoder/crop.js';
import { stretchMesh, stretchToEven } from '../../encoder/proportions.js';
import { canonicalFace } from '../support/canonical-face.js';

const SIDE = 400;
const { points } = await canonicalFace();
/** The canonical face about the origin, seen straight on, 75 pixels between the eyes. */
const straight = Float32Array.from(points, (value, i) => 1200 * (i % 3 === 0 ? value : -value));
const leaning = (mesh: Float32Array, degrees: number): Float32Array => {
  const rotation = rotationFromVector([0, 0, toRadians(degrees)]);
  const out = mesh.slice();
  for (let i = 0; i < out.length; i += 3)
    out.set(apply(rotation, [mesh[i]!, mesh[i + 1]!, mesh[i + 2]!]), i);
  return out;
};
const taller = (mesh: Float32Array, tall: number): Float32Array =>
  mesh.map((value, i) => (i % 3 === 1 ? tall * value : value));

describe('halfway to the average proportions', () => {
  const own = Math.log(stretchToEven(straight).tall);

  it('a face that is taller or wider than most is taken, along the face', () => {
    for (const tall of [0.8, 0.9, 1.1, 1.25]) {
      for (const lean of [0, 25, -90]) {
        const stretch = stretchToEven(leaning(taller(straight, tall), lean));
        expect(Math.abs(Math.log(stretch.tall) - own + Math.log(tall) / 2)).toBeLessThan(0.015);
        expect(stretch.x).toBeCloseTo(-Math.sin(toRadians(lean)), 3);
        expect(stretch.y).toBeCloseTo(Math.cos(toRadians(lean)), 3);
      }
    }
  });

  it('it is taken alike, whatever its size and place', () => {
    const elsewhere = straight.map((value, i) => 3 * value + [400, 300, 0][i % 3]!);
    expect(Math.log(stretchToEven(elsewhere).tall)).toBeCloseTo(own, 4);
  });

  it('it is taken no further than a face’s proportions can be away, and a mesh without extent nowhere', () => {
    expect(stretchToEven(taller(straight, 4)).tall).toBeGreaterThan(0.83);
    expect(stretchToEven(taller(straight, 0.2)).tall).toBeLessThan(1.2);
    for (const value of [0, 7, NaN]) {
      const none = new Float32Array(3 * 478).fill(value);
      expect(stretchToEven(none)).toEqual({ x: 0, y: 1, tall: 1 });
    }
  });

  it('a mesh is stretched along a direction, and nothing across it', () => {
    const [x, y] = [Math.sin(0.3), Math.cos(0.3)];
    const out = stretchMesh(Float32Array.from([10 * x, 10 * y, 5, 10 * y, -10 * x, 5]), { x, y, tall: 1.2 }); // prettier-ignore
    expect([...out].map((value) => Math.round(1e4 * value) / 1e4)).toEqual(
      [12 * x, 12 * y, 5, 10 * y, -10 * x, 5].map((value) => Math.round(1e4 * value) / 1e4),
    );
  });

  it('a crop shows what its transform says, along the face stretched and across it not', () => {
    const level = (x: number, y: number): number =>
      128 + 50 * Math.sin(x / 12) + 50 * Math.cos(y / 10);
    const pixels = Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => {
      const at = Math.floor(i / 3);
      return level((at % SIDE) + 0.5, Math.floor(at / SIDE) + 0.5);
    });
    for (const [tall, lean] of [[0.85, 0], [1.15, 0], [1.2, 20], [0.8, -15]] as const) {
      const landmarks = leaning(taller(straight, tall), lean).map((value, i) => i % 3 === 2 ? value : value + SIDE / 2);
      const { xx, xy, tx, yx, yy, ty, scale } = fitCrop(landmarks, DEFAULT_CROP);
      const [sin, cos] = [Math.sin(toRadians(lean)), Math.cos(toRadians(lean))];
      expect(Math.hypot(xx * cos + xy * sin, yx * cos + yy * sin)).toBeCloseTo(scale, 4);
      const along = Math.hypot(-xx * sin + xy * cos, -yx * sin + yy * cos);
      expect(along / scale).toBeCloseTo(stretchToEven(landmarks).tall, 4);
      const crop = new Uint8Array(DEFAULT_CROP.size ** 2);
      alignedCrop(pixels, SIDE, SIDE, landmarks, DEFAULT_CROP, crop);
      const determinant = xx * yy - xy * yx;
      for (const [u, v] of [[32.5, 21.5], [10.5, 30.5], [50.5, 50.5], [40.5, 12.5]] as const) {
        const [du, dv] = [u - tx, v - ty];
        const [x, y] = [(yy * du - xy * dv) / determinant, (xx * dv - yx * du) / determinant];
        // A crop pixel is the mean of three of the picture's each way.
        expect(Math.abs(crop[Math.floor(v) * DEFAULT_CROP.size + Math.floor(u)]! - level(x, y))).toBeLessThan(5);
      }
    } // prettier-ignore
  });
});
