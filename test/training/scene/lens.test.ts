import { describe, expect, it } from 'vitest';
import { dot, IDENTITY3, normalize, type Vec3 } from '../../../core/geometry.js';
import { placeCamera } from '../../../training/scene/camera.js';
import { makeLenses, mirrored } from '../../../training/scene/lens.js';
import { radianceFrom, type Environment } from '../../../training/scene/light.js';
import type { Point } from '../../../training/scene/loft.js';
import { Random } from '../../../training/scene/random.js';

/** Evenly spread over the sphere. */
const DIRECTIONS = Array.from({ length: 60_000 }, (_, i): Vec3 => {
  const y = 1 - (2 * i + 1) / 60_000;
  const turn = i * Math.PI * (3 - Math.sqrt(5));
  const radius = Math.sqrt(1 - y * y);
  return [radius * Math.cos(turn), y, radius * Math.sin(turn)];
});

const lamp = (direction: Vec3): Environment => ({
  ambient: [0.1, 0.1, 0.1],
  lobes: [{ direction, color: [1, 0.8, 0.5], sharpness: 30 }],
});

describe('what glass mirrors', () => {
  it('is as bright as the light that falls on a face from there', () => {
    const towards = normalize([0.3, 0.5, 0.8]);
    const { lobes } = lamp(towards);
    const falls = DIRECTIONS.reduce((sum, direction) => {
      const light = radianceFrom({ ambient: [0, 0, 0], lobes }, direction)[0];
      return sum + light * Math.max(0, dot(direction, towards));
    }, 0);
    expect((4 * falls) / DIRECTIONS.length).toBeCloseTo(1, 1);
  });

  it('is a lamp where the line of sight goes to one, and the dim room elsewhere', () => {
    const rims = [-3.2, 3.2].map((x) =>
      Array.from({ length: 29 }, (_, i): Point => {
        const angle = (2 * Math.PI * i) / 28;
        return [x + 2.4 * Math.cos(angle), 3 + 1.8 * Math.sin(angle), 9];
      }),
    );
    const lenses = makeLenses(rims, new Random('lenses'));
    const camera = placeCamera({
      position: [0, 0, 1],
      target: [0, 0.03, 0.09],
      width: 64,
      height: 64,
      horizontalFieldDeg: 20,
    });
    const head = { rotation: IDENTITY3, position: [0, 0, 0] as Vec3 };
    const brightest = (direction: Vec3): number =>
      Math.max(...mirrored(lenses, lamp(direction), head, camera, 0.01));
    const n = lenses.normals.subarray(0, 3);
    const to = normalize([0.032, -0.03, 0.91]);
    const twice = 2 * (n[0]! * to[0] + n[1]! * to[1] + n[2]! * to[2]);
    const met: Vec3 = [twice * n[0]! - to[0], twice * n[1]! - to[1], twice * n[2]! - to[2]];
    expect(brightest(met)).toBeGreaterThan(50);
    expect(brightest([0, 0, -1])).toBeLessThan(0.2);
  });

  it('faces forwards and sends back a few hundredths', () => {
    for (let seed = 0; seed < 50; seed++) {
      const { normals, reflectance } = makeLenses(
        [[[-3, 3, 9], [-1, 4, 9], [-1, 2, 9]]],
        new Random(String(seed)),
      ); // prettier-ignore
      expect(reflectance).toBeGreaterThan(0);
      expect(reflectance).toBeLessThan(0.1);
      for (let i = 0; i < normals.length; i += 3) expect(normals[i + 2]).toBeGreaterThan(0.7);
    }
  });
});
