import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Target, type Surface } from '../../../training/scene/rasterise.js';

/** One triangle, given as x, y, depth; lit white unless told. */
function triangle(
  points: readonly (readonly [number, number, number])[],
  rgb = [1, 1, 1],
): Surface {
  return {
    triangles: Uint32Array.of(0, 1, 2),
    screen: Float32Array.from(points.flatMap(([x, y, depth]) => [x, y, 1 / depth])),
    light: new Float32Array(9).fill(1),
    albedo: Float32Array.from([...rgb, ...rgb, ...rgb]),
    twoSided: true,
  };
}

const red = (target: Target, x: number, y: number): number =>
  target.color[3 * (y * target.width + x)]!;

describe('the rasteriser', () => {
  it('shows the nearer of two surfaces, whatever their order', () => {
    const near = triangle([[0, 0, 1], [20, 0, 1], [0, 20, 1]], [0.5, 0, 0]); // prettier-ignore
    const far = triangle([[0, 0, 2], [20, 0, 2], [0, 20, 2]], [0.9, 0, 0]); // prettier-ignore
    for (const order of [
      [near, far],
      [far, near],
    ]) {
      const target = new Target(10, 10);
      target.draw(order);
      expect(red(target, 2, 2)).toBeCloseTo(0.5);
    }
  });

  it('covers every sample of two triangles that share an edge once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: 1, max: 15, noNaN: true }), { minLength: 2, maxLength: 2 }),
        ([x, y]) => {
          const target = new Target(16, 16);
          const corners = [[0, 0], [16, 0], [16, 16], [0, 16]].map(([u, v]) => [u!, v!, 1] as const); // prettier-ignore
          const middle = [x!, y!, 1] as const;
          target.draw(
            corners.map((corner, i) =>
              triangle([middle, corner, corners[(i + 1) % 4]!], [1, 0, 0]),
            ),
          );
          let covered = 0;
          for (let i = 0; i < 256; i++) covered += target.color[3 * i]!;
          expect(covered).toBeCloseTo(256, 3);
        },
      ),
    );
  });

  it('interpolates texture in perspective: half way on the picture is nearer in the texture', () => {
    const width = 101;
    const data = new Float32Array(width * 2 * 3);
    for (let x = 0; x < width; x++) data[3 * x] = data[3 * (width + x)] = x / 100;
    const target = new Target(100, 4);
    target.draw([
      {
        triangles: Uint32Array.of(0, 1, 2, 1, 3, 2),
        // Left edge at depth 1, right edge at depth 3.
        screen: Float32Array.of(0, 0, 1, 0, 4, 1, 100, 0, 1 / 3, 100, 4, 1 / 3),
        light: new Float32Array(12).fill(1),
        albedo: new Float32Array(12),
        texture: {
          image: { width, height: 2, data },
          uv: Float32Array.of(0, 0, 0, 1, 100, 0, 100, 1),
        },
        twoSided: true,
      },
    ]);
    // Screen share s maps to texture share (s/3) / ((1−s) + s/3).
    const share = 0.505;
    expect(red(target, 50, 2)).toBeCloseTo(share / 3 / (1 - share + share / 3), 2);
  });

  it('leaves out what lies behind the camera and what faces away', () => {
    const target = new Target(8, 8);
    const behind = triangle([[0, 0, -1], [16, 0, -1], [0, 16, -1]]); // prettier-ignore
    const away = { ...triangle([[0, 0, 1], [16, 0, 1], [0, 16, 1]]), twoSided: false }; // prettier-ignore
    target.draw([behind, away]);
    expect(target.color.every((value) => value === 0)).toBe(true);
  });

  it('lets a veil darken what is behind it by its opacity', () => {
    const target = new Target(8, 8);
    const wall = triangle([[0, 0, 2], [30, 0, 2], [0, 30, 2]], [0.8, 0.8, 0.8]); // prettier-ignore
    const lash = { ...triangle([[0, 0, 1], [30, 0, 1], [0, 30, 1]], [0, 0, 0]), veil: 0.25 }; // prettier-ignore
    target.draw([wall, lash]);
    expect(red(target, 3, 3)).toBeCloseTo(0.6);
  });
});
