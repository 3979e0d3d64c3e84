import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sampleRegion, type Pixels, type Region } from '../../../runtime/faces/region.js';

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

describe('a sampled region', () => {
  it('shows what bilinear sampling defines, in, across and beyond the border, however turned', () => {
    fc.assert(
      fc.property(length, length, region, fc.boolean(), (width, height, { x, y, width: w, rotation }, repeat) => {
        const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7919) % 251);
        const picture = { width, height, pixels };
        const spec: Region = { x, y, width: w, height: w, rotation };
        const side = 8;
        const out = new Float32Array(side * side * 3);
        sampleRegion(picture, spec, { side, range: [0, 255], border: repeat ? 'repeat' : 'black' }, out, 0);
        const [cos, sin] = [Math.cos(rotation) * (w / side), Math.sin(rotation) * (w / side)];
        out.forEach((value, i) => {
          const [u, v] = [(Math.floor(i / 3) % side) - side / 2, Math.floor(i / 3 / side) - side / 2];
          const expected = plainly(picture, x + u * cos - v * sin, y + u * sin + v * cos, i % 3, repeat);
          // A place is kept to a 1024th of a pixel, two neighbours differ by 251 at most.
          expect(Math.abs(value - expected)).toBeLessThan(1);
        });
      }),
      { numRuns: 400 },
    ); // prettier-ignore
  });
});
