import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Pixels, Region } from '../../../runtime/faces/region.js';
import { Sampler } from '../../../runtime/faces/sampler.js';

/** Bilinear at a place given in pixel indices, by the definition. */
function plainly({ width, height, pixels }: Pixels, x: number, y: number, k: number, repeat: boolean) {
  let sum = 0;
  for (const [dx, dy] of [[0, 0], [1, 0], [0, 1], [1, 1]] as const) {
    const [px, py] = [Math.floor(x) + dx, Math.floor(y) + dy];
    const weight = (1 - Math.abs(x - px)) * (1 - Math.abs(y - py));
    const inside = px >= 0 && py >= 0 && px < width && py < height;
    const [cx, cy] = [Math.min(width - 1, Math.max(0, px)), Math.min(height - 1, Math.max(0, py))];
    if (inside || repeat) sum += weight * pixels[(cy * width + cx) * 3 + k]!;
  }
  return sum;
} // prettier-ignore

const length = fc.integer({ min: 1, max: 24 });
const place = fc.double({ min: -30, max: 50, noNaN: true });
const turn = fc.oneof(
  fc.double({ min: -Math.PI, max: Math.PI, noNaN: true }),
  fc.constantFrom(0, Math.PI / 2, Math.PI, (3 * Math.PI) / 2),
);
const region = fc.record({ x: place, y: place, width: fc.double({ min: 0.5, max: 60, noNaN: true }), rotation: turn }); // prettier-ignore

const picture = (width: number, height: number): Pixels => ({
  width,
  height,
  pixels: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7919) % 251),
});

/** Largest difference of any sample from the definition, grey levels. */
function farthest(samples: Float32Array, picture: Pixels, region: Region, side: number, repeat: boolean) {
  const [cos, sin] = [Math.cos(region.rotation) / side, Math.sin(region.rotation) / side];
  let most = 0;
  samples.forEach((value, i) => {
    const [u, v] = [(Math.floor(i / 3) % side) - side / 2, Math.floor(i / 3 / side) - side / 2];
    const x = region.x + u * cos * region.width - v * sin * region.height;
    const y = region.y + u * sin * region.width + v * cos * region.height;
    most = Math.max(most, Math.abs(value - plainly(picture, x, y, i % 3, repeat)));
  });
  return most;
} // prettier-ignore

/** A place is kept to a 1024th of a pixel, two neighbours differ by 251 at most. */
const LOST = 1;

describe('a sampled region', () => {
  it('shows what bilinear sampling defines, in, across and beyond the border, however turned', () => {
    fc.assert(
      fc.property(length, length, fc.array(region, { minLength: 1, maxLength: 3 }), fc.boolean(), (width, height, regions, repeat) => {
        const side = 8;
        const sampler = new Sampler({ side, range: [0, 255], border: repeat ? 'repeat' : 'black' });
        const looks = regions.map((region) => ({ picture: picture(width, height), region: { ...region, height: region.width } }));
        const samples = sampler.sample(looks);
        expect(samples).toHaveLength(looks.length * side * side * 3);
        looks.forEach(({ picture, region }, i) => {
          const own = samples.subarray(i * side * side * 3, (i + 1) * side * side * 3);
          expect(farthest(own, picture, region, side, repeat)).toBeLessThan(LOST);
        });
      }),
      { numRuns: 400 },
    ); // prettier-ignore
  });

  it('is the same where a picture is too large to be taken at once', () => {
    const large = picture(4000, 3000);
    for (const rotation of [0, 0.4, Math.PI / 2]) {
      for (const border of ['black', 'repeat'] as const) {
        const region = { x: 2100, y: 1400, width: 4200, height: 4200, rotation };
        const samples = new Sampler({ side: 64, range: [0, 255], border }).sample([
          { picture: large, region },
        ]);
        expect(farthest(samples, large, region, 64, border === 'repeat')).toBeLessThan(LOST);
      }
    }
  });

  it('is finite where a model has lost the face', () => {
    const region = { x: NaN, y: 0, width: Infinity, height: 1e12, rotation: NaN };
    const samples = new Sampler({ side: 8, range: [0, 1], border: 'repeat' }).sample([
      { picture: picture(20, 10), region },
    ]);
    expect(samples.every(Number.isFinite)).toBe(true);
  });
});
