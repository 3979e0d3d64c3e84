import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseObj, parsePositions } from '../../../training/scene/obj.js';

describe('reading meshes', () => {
  it('reads every way a number is written', () => {
    const number = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }),
      fc.integer(),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(number, number, number), { minLength: 1 }), (vertices) => {
        const text = `# head\n${vertices.map((v) => `v ${v.map(String).join(' ')}`).join('\n')}\nvt 1 2\n`;
        const positions = parsePositions(text, vertices.length, 'x.obj');
        vertices.flat().forEach((value, i) => {
          expect(Math.abs(positions[i]! - value)).toBeLessThanOrEqual(
            1e-6 * Math.abs(value) + 1e-30,
          );
        });
      }),
    );
  });

  it('refuses a shape with another number of vertices', () => {
    expect(() => parsePositions('v 1 2 3\nv 4 5 6\n', 3, 'x.obj')).toThrow(
      /x\.obj.*given: 2.*3 vertices/,
    );
  });

  it('cuts polygons into triangles by material', () => {
    const text =
      'v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0.5 0.25\nusemtl skin\nf 1/1 2/1 3/1 4/1\nusemtl eye\nf 1 2 3\r\n';
    const mesh = parseObj(text);
    expect([...mesh.parts.get('skin')!]).toEqual([0, 1, 2, 0, 2, 3]);
    expect([...mesh.parts.get('eye')!]).toEqual([0, 1, 2]);
    expect([...mesh.uv.subarray(6)]).toEqual([0.5, 0.25]);
  });
});
