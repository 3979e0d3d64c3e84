import { describe, expect, it } from 'vitest';
import { apply, rotationFromVector, toRadians } from '../../core/geometry.js';
import { alignedCrop, DEFAULT_CROP } from '../../encoder/crop.js';
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

describe('the average proportions', () => {
  const own = Math.log(stretchToEven(straight).tall);

  it('are given to a face that is taller or wider than most, along the face', () => {
    for (const tall of [0.8, 0.9, 1.1, 1.25]) {
      for (const lean of [0, 25, -90]) {
        const stretch = stretchToEven(leaning(taller(straight, tall), lean));
        expect(Math.abs(Math.log(stretch.tall) - own + Math.log(tall))).toBeLessThan(0.03);
        expect(stretch.x).toBeCloseTo(-Math.sin(toRadians(lean)), 3);
        expect(stretch.y).toBeCloseTo(Math.cos(toRadians(lean)), 3);
      }
    }
  });

  it('do not depend on the face’s size and place', () => {
    const elsewhere = straight.map((value, i) => 3 * value + [400, 300, 0][i % 3]!);
    expect(Math.log(stretchToEven(elsewhere).tall)).toBeCloseTo(own, 4);
  });

  it('are no further away than a face’s can be, and nothing is done to a mesh without extent', () => {
    expect(stretchToEven(taller(straight, 4)).tall).toBeGreaterThan(0.7);
    expect(stretchToEven(taller(straight, 0.2)).tall).toBeLessThan(1.42);
    for (const value of [0, 7, NaN]) {
      const none = new Float32Array(3 * 478).fill(value);
      expect(stretchToEven(none)).toEqual({ x: 0, y: 1, tall: 1 });
    }
  });

  it('stretch a mesh along a direction, and nothing across it', () => {
    const [x, y] = [Math.sin(0.3), Math.cos(0.3)];
    const out = stretchMesh(Float32Array.from([10 * x, 10 * y, 5, 10 * y, -10 * x, 5]), { x, y, tall: 1.2 }); // prettier-ignore
    expect([...out].map((value) => Math.round(1e4 * value) / 1e4)).toEqual(
      [12 * x, 12 * y, 5, 10 * y, -10 * x, 5].map((value) => Math.round(1e4 * value) / 1e4),
    );
  });

  it('give one crop of a face, whether the picture is stretched or not', () => {
    const cropOf = (tall: number, lean: number): Uint8Array => {
      const landmarks = leaning(taller(straight, tall), lean).map((value, i) => i % 3 === 2 ? value : value + SIDE / 2); // prettier-ignore
      const [cos, sin] = [Math.cos(toRadians(lean)), Math.sin(toRadians(lean))];
      const pixels = Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => {
        const at = Math.floor(i / 3);
        const [px, py] = [(at % SIDE) + 0.5 - SIDE / 2, Math.floor(at / SIDE) + 0.5 - SIDE / 2];
        const [x, y] = [cos * px + sin * py, (-sin * px + cos * py) / tall];
        return 128 + 50 * Math.sin(x / 12) + 50 * Math.cos(y / 10);
      });
      const crop = new Uint8Array(DEFAULT_CROP.size ** 2);
      alignedCrop(pixels, SIDE, SIDE, landmarks, DEFAULT_CROP, crop);
      return crop;
    };
    const expected = cropOf(1, 0);
    for (const [tall, lean] of [[0.85, 0], [1.15, 0], [1.2, 20], [0.8, -15]] as const) {
      const crop = cropOf(tall, lean);
      const off = crop.map((grey, i) => Math.abs(grey - expected[i]!));
      // Waves of 30 pixels and more there are 10 of the crop: half a pixel is up to 16 levels.
      expect(Math.max(...off)).toBeLessThan(24);
      expect(off.reduce((sum, value) => sum + value, 0) / off.length).toBeLessThan(7);
    } // prettier-ignore
  });
});
