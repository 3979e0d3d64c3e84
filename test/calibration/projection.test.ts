import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parseRig, pixelRay, projectPoint, triangulate, uprightCamera, type RigCalibration,
} from '../../calibration/index.js'; // prettier-ignore
import { ClmexError } from '../../core/errors.js';
import type { Vec3 } from '../../core/geometry.js';
import { arc } from '../support/heads.js';
import { describeWithData, sharedData } from '../support/shared-data.js';

const between = (min: number, max: number): fc.Arbitrary<number> =>
  fc.double({ min, max, noNaN: true });
const lens = fc.tuple(between(-0.35, 0.2), between(-0.1, 0.1), between(-0.005, 0.005), between(-0.005, 0.005), between(-0.02, 0.02)); // prettier-ignore
const spot = fc.tuple(between(-0.3, 0.3), between(-0.2, 0.2), between(-0.5, 0.5));

describe('projection', () => {
  it('sends a point to a pixel whose ray passes through the point', () => {
    fc.assert(
      fc.property(lens, spot, (distortion, point) => {
        const camera = { ...arc([25]).cameras['cam-0']!, distortion };
        const ray = pixelRay(camera, projectPoint(camera, point)!);
        const miss = triangulate([ray, { origin: [0, 5, 0], direction: unit(point, [0, 5, 0]) }])!;
        expect(Math.hypot(...miss.map((v, i) => v - point[i]!))).toBeLessThan(1e-4);
      }),
    );
  });

  it('sees the same world after frames are turned upright: pixels turn with the picture', () => {
    fc.assert(
      fc.property(lens, spot, (distortion, point) => {
        const camera = { ...arc([-30]).cameras['cam-0']!, distortion };
        const [u, v] = projectPoint(camera, point)!;
        const once = projectPoint(uprightCamera(camera, 1), point)!;
        expect(once[0]).toBeCloseTo(camera.height - 1 - v, 6);
        expect(once[1]).toBeCloseTo(u, 6);
        const fourTimes = projectPoint(uprightCamera(camera, 4), point)!;
        expect(fourTimes[0]).toBeCloseTo(u, 6);
        expect(fourTimes[1]).toBeCloseTo(v, 6);
      }),
    );
  });

  it('sees nothing behind the camera', () => {
    expect(projectPoint(arc([0]).cameras['cam-0']!, [0, 0, 9])).toBeUndefined();
  });

  it('cannot triangulate from one ray or from parallel ones', () => {
    const ray = { origin: [0, 0, 0] as Vec3, direction: [0, 0, 1] as Vec3 };
    expect(triangulate([ray])).toBeUndefined();
    expect(triangulate([ray, { ...ray, origin: [1, 0, 0] }])).toBeUndefined();
  });
});

describe('a rig file', () => {
  it('is refused with the name of its first wrong field', () => {
    const rig = structuredClone(arc([0, 30])) as unknown as {
      cameras: Record<string, { matrix: { fx: number } }>;
    };
    rig.cameras['cam-1']!.matrix.fx = -3;
    expect(() => parseRig(rig)).toThrow(ClmexError);
    expect(() => parseRig(rig)).toThrow(/calibration\.cameras\.cam-1\.matrix\.fx/);
  });
});

describeWithData('the real four-camera rig', () => {
  it('reprojects triangulated board corners as well as its published calibration does (0.83 px)', () => {
    const folder = '4_cam_recording';
    const rig = publishedRig(sharedData('caliscope', folder, 'reference-calibration.json'));
    const rows = readFileSync(sharedData('caliscope', folder, 'charuco-corners.csv'), 'utf8')
      .trim().split('\n').slice(1).map((line) => line.split(',')); // prettier-ignore
    const points = new Map<string, { camera: string; pixel: [number, number] }[]>();
    for (const row of rows) {
      const key = `${row[0]!} ${row[5]!}`;
      points.set(key, [...(points.get(key) ?? []), { camera: `cam_${row[1]!}`, pixel: [Number(row[6]), Number(row[7])] }]); // prettier-ignore
    }
    let squares = 0;
    let count = 0;
    for (const seen of points.values()) {
      if (seen.length < 2) continue;
      const point = triangulate(
        seen.map(({ camera, pixel }) => pixelRay(rig.cameras[camera]!, pixel)),
      )!;
      for (const { camera, pixel } of seen) {
        const at = projectPoint(rig.cameras[camera]!, point)!;
        squares += (at[0] - pixel[0]) ** 2 + (at[1] - pixel[1]) ** 2;
        count++;
      }
    }
    expect(count).toBeGreaterThan(1000);
    expect(Math.sqrt(squares / count)).toBeLessThan(1.1);
  });
});

function unit(to: Vec3, from: Vec3): Vec3 {
  const d = to.map((v, i) => v - from[i]!) as unknown as Vec3;
  const length = Math.hypot(...d);
  return [d[0] / length, d[1] / length, d[2] / length];
}

interface Published {
  size: [number, number];
  matrix: number[][];
  distortions: [number, number, number, number, number];
  rotation: number[][];
  translation: number[];
}

function publishedRig(path: string): RigCalibration {
  const { cameras } = JSON.parse(readFileSync(path, 'utf8')) as {
    cameras: Record<string, Published>;
  };
  const convert = ({ size, matrix, distortions, rotation, translation }: Published) => ({
    width: size[0],
    height: size[1],
    matrix: { fx: matrix[0]![0]!, fy: matrix[1]![1]!, cx: matrix[0]![2]!, cy: matrix[1]![2]! },
    distortion: distortions,
    rotation: rotation.flat(),
    translation,
  });
  return parseRig({
    units: 'metres',
    cameras: Object.fromEntries(
      Object.entries(cameras).map(([id, camera]) => [id, convert(camera)]),
    ),
  });
}
