import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alignedCrop, DEFAULT_CROP, fitCrop } from '../../../encoder/crop.js';

/** An average frontal face: eye distance 1, eyes' middle at the origin. */
const PLACES = [
  [33, -0.7054, -0.0062], [133, -0.2946, 0.0062], [362, 0.2946, 0.0062], [263, 0.7054, -0.0062],
  [2, 0, 0.7479], [61, -0.3897, 1.1055], [291, 0.3897, 1.1055],
] as const; // prettier-ignore

/** The face's points seen turned by `roll` radians, `eyes` px between the eyes, eyes at (cx, cy). */
function face(cx: number, cy: number, eyes: number, roll: number): Float32Array {
  const landmarks = new Float32Array(478 * 3);
  for (const [index, x, y] of PLACES) {
    landmarks[index * 3] = cx + eyes * (x * Math.cos(roll) - y * Math.sin(roll));
    landmarks[index * 3 + 1] = cy + eyes * (x * Math.sin(roll) + y * Math.cos(roll));
  }
  return landmarks;
}

/** A picture painted by a function of continuous coordinates (pixel centres at +0.5). */
function paint(width: number, height: number, level: (x: number, y: number) => number): Uint8Array {
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++)
      pixels.fill(level(x + 0.5, y + 0.5), (y * width + x) * 3, (y * width + x + 1) * 3);
  }
  return pixels;
}

const SIZE = DEFAULT_CROP.size;
const crop = (pixels: Uint8Array, width: number, height: number, landmarks: Float32Array) => {
  const out = new Uint8Array(SIZE * SIZE);
  alignedCrop(pixels, width, height, landmarks, DEFAULT_CROP, out);
  return out;
};

describe('the aligned crop', () => {
  it('puts the eyes on their line at their distance, whatever the face does in the plane', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 50, max: 1800, noNaN: true }),
        fc.double({ min: 50, max: 1000, noNaN: true }),
        fc.double({ min: 8, max: 400, noNaN: true }),
        fc.double({ min: -Math.PI, max: Math.PI, noNaN: true }),
        (cx, cy, eyes, roll) => {
          const { a, b, tx, ty } = fitCrop(face(cx, cy, eyes, roll), DEFAULT_CROP);
          expect(Math.hypot(a, b) * eyes).toBeCloseTo(DEFAULT_CROP.eyeDistancePx, 3);
          expect(a * cx - b * cy + tx).toBeCloseTo(SIZE / 2, 2);
          expect(b * cx + a * cy + ty).toBeCloseTo(DEFAULT_CROP.eyeLinePx, 2);
        },
      ),
    );
  });

  it('shows a ramp that runs across the face as the same ramp, turned upright', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 14, max: 90, noNaN: true }),
        fc.double({ min: -Math.PI, max: Math.PI, noNaN: true }),
        (eyes, roll) => {
          const [cx, cy] = [400, 400];
          const along = (x: number, y: number) =>
            ((x - cx) * Math.cos(roll) + (y - cy) * Math.sin(roll)) / eyes;
          const pixels = paint(800, 800, (x, y) => Math.round(128 + 40 * along(x, y)));
          const out = crop(pixels, 800, 800, face(cx, cy, eyes, roll));
          for (const [u, v] of [[32, 21], [10, 30], [50, 50], [40, 12]] as const) {
            const expected = 128 + (40 * (u + 0.5 - SIZE / 2)) / DEFAULT_CROP.eyeDistancePx;
            expect(Math.abs(out[v * SIZE + u]! - expected)).toBeLessThanOrEqual(2);
          } // prettier-ignore
        },
      ),
      { numRuns: 30 },
    );
  });

  it('averages detail it cannot show instead of letting it alias', () => {
    const pixels = paint(1000, 1000, (x, y) => ((Math.floor(x) + Math.floor(y)) % 2) * 255);
    const out = crop(pixels, 1000, 1000, face(500, 400, 24 * 6, 0.3));
    for (const level of out) expect(Math.abs(level - 127.5)).toBeLessThan(20);
  });

  it('weighs colours as BT.601 does', () => {
    const pixels = new Uint8Array(200 * 200 * 3);
    for (let i = 0; i < pixels.length; i += 3) pixels.set([200, 100, 50], i);
    expect(new Set(crop(pixels, 200, 200, face(100, 80, 40, 0)))).toEqual(new Set([124]));
  });

  it('repeats the border outside the picture', () => {
    const pixels = paint(40, 40, (x) => (x < 20 ? 10 : 200));
    const out = crop(pixels, 40, 40, face(20, 14, 24, 0));
    expect([out[0], out[SIZE * SIZE - SIZE], out[SIZE - 1], out[SIZE * SIZE - 1]]).toEqual([
      10, 10, 200, 200,
    ]);
  });

  it('is black for a face without extent', () => {
    const out = crop(
      paint(8, 8, () => 255),
      8,
      8,
      new Float32Array(478 * 3),
    );
    expect(out.every((level) => level === 0)).toBe(true);
  });
});
