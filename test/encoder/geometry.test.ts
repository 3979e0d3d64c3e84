import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apply, rotationFromVector } from '../../core/geometry.js';
import {
  alignMeshes,
  applySimilarity,
  describeGeometry,
  embedGeometry,
  GEOMETRY_FEATURES,
  GEOMETRY_POINTS,
  mirrorGeometry,
  type Geometry,
} from '../../encoder/geometry.js';
import { drawn, zeros } from '../../encoder/network.js';
import { Random } from '../../encoder/random.js';

const HALF = (GEOMETRY_POINTS.length - 21) / 2;

/** The landmarks of the mirrored picture. */
function mirrorImage(face: Float32Array): Float32Array {
  const mirrored = new Float32Array(face.length);
  GEOMETRY_POINTS.forEach((index, at) => {
    const other = at < 21 ? index : GEOMETRY_POINTS[at < 21 + HALF ? at + HALF : at - HALF]!;
    mirrored.set([-face[3 * other]!, face[3 * other + 1]!, face[3 * other + 2]!], 3 * index);
  });
  return mirrored;
}

/** A face-like cloud: symmetric in x, wider than deep; a little noise makes it a face of its own. */
function cloud(seed: number, noise: number): Float32Array {
  const random = new Random(seed);
  const shape = new Random(1);
  const mesh = new Float32Array(3 * 478);
  const put = (index: number, x: number, y: number, z: number): void =>
    mesh.set([x + noise * random.normal(), y + noise * random.normal(), z + noise * random.normal()], 3 * index); // prettier-ignore
  GEOMETRY_POINTS.slice(0, 21).forEach((index, i) => put(index, 0, i - 10, 2 * shape.uniform()));
  for (let i = 0; i < HALF; i++) {
    const [x, y, z] = [1 + 6 * shape.uniform(), 16 * shape.uniform() - 8, 4 * shape.uniform()];
    put(GEOMETRY_POINTS[21 + i]!, -x, y, z);
    put(GEOMETRY_POINTS[21 + HALF + i]!, x, y, z);
  }
  return mesh;
}

const reference = Float32Array.from(
  GEOMETRY_POINTS.flatMap((index) => [...cloud(0, 0).subarray(3 * index, 3 * index + 3)]),
);

function featuresOf(landmarks: Float32Array): Float32Array {
  const out = new Float32Array(GEOMETRY_FEATURES);
  describeGeometry(landmarks, reference, out);
  return out;
}

function moved(
  mesh: Float32Array,
  turn: readonly number[],
  scale: number,
  shift: readonly number[],
) {
  const rotation = rotationFromVector([turn[0]!, turn[1]!, turn[2]!]);
  const out = new Float32Array(mesh.length);
  for (let i = 0; i < mesh.length; i += 3) {
    const [x, y, z] = apply(rotation, [mesh[i]!, mesh[i + 1]!, mesh[i + 2]!]);
    out.set([scale * x + shift[0]!, scale * y + shift[1]!, scale * z + shift[2]!], i);
  }
  return out;
}

const positions = (features: Float32Array): Float32Array =>
  features.subarray(0, GEOMETRY_FEATURES - 2);
const furthest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe('geometry of a face', () => {
  const turn = fc.tuple(...([0.4, 1.2, 0.6] as const).map((most) => fc.double({ min: -most, max: most, noNaN: true }))); // prettier-ignore
  const shift = fc.tuple(...[0, 1, 2].map(() => fc.double({ min: -500, max: 500, noNaN: true })));

  it('does not depend on where the head is, how large, or how it is turned', () => {
    fc.assert(
      fc.property(turn, fc.double({ min: 0.5, max: 40, noNaN: true }), shift, (by, scale, to) => {
        const face = cloud(5, 0.2);
        const there = featuresOf(moved(face, by, scale, to));
        expect(furthest(positions(there), positions(featuresOf(face)))).toBeLessThan(2e-3);
      }),
    );
  });

  it('finds the reference itself where it is', () => {
    const features = featuresOf(cloud(0, 0));
    expect(furthest(positions(features), reference)).toBeLessThan(1e-5);
    expect(features[GEOMETRY_FEATURES - 2]).toBeCloseTo(0, 6);
  });

  it('says which way the head is turned', () => {
    const yaw = (angle: number) =>
      featuresOf(moved(cloud(0, 0), [0, angle, 0], 1, [0, 0, 0])).at(-2)!;
    expect(Math.abs(yaw(0.5))).toBeCloseTo(Math.sin(0.5), 4);
    expect(yaw(-0.5)).toBeCloseTo(-yaw(0.5), 4);
  });

  it('lies on another mesh of the same face, whatever the turn, place and size of either', () => {
    fc.assert(
      fc.property(turn, fc.double({ min: 0.5, max: 40, noNaN: true }), shift, (by, scale, to) => {
        const face = cloud(5, 0.2);
        const there = moved(face, by, scale, to);
        const back = applySimilarity(alignMeshes(there, face)!, there);
        expect(furthest(back, face)).toBeLessThan(2e-3);
      }),
    );
    expect(alignMeshes(new Float32Array(3 * 478), cloud(0, 0))).toBeUndefined();
  });

  it('of the mirrored face is the mirrored geometry, and mirroring twice changes nothing', () => {
    const face = moved(cloud(9, 0.3), [0.1, 0.6, 0.2], 3, [10, 20, 0]);
    expect(furthest(featuresOf(mirrorImage(face)), mirrorGeometry(featuresOf(face)))).toBeLessThan(
      1e-4,
    );
    expect(mirrorGeometry(mirrorGeometry(featuresOf(face)))).toEqual(featuresOf(face));
  });

  it('of points without extent is nothing, not a number that is none', () => {
    expect(featuresOf(new Float32Array(3 * 478)).every((value) => value === 0)).toBe(true);
    expect(featuresOf(new Float32Array(3 * 478).fill(7)).every((value) => value === 0)).toBe(true);
    expect(featuresOf(new Float32Array(3 * 478).fill(NaN)).every((value) => value === 0)).toBe(
      true,
    );
  });
});

describe('the geometry stream', () => {
  const random = new Random(3);
  const geometry: Geometry = {
    share: 0.25,
    reference: { shape: [GEOMETRY_POINTS.length, 3], data: reference },
    mean: zeros([GEOMETRY_FEATURES]),
    deviation: { shape: [GEOMETRY_FEATURES], data: new Float32Array(GEOMETRY_FEATURES).fill(1) },
    hidden: { kernel: drawn(random, [GEOMETRY_FEATURES, 8], 0.1), bias: drawn(random, [8], 0.1) },
    project: { kernel: drawn(random, [8, 4], 0.5), bias: drawn(random, [4], 0.1) },
  };

  it('takes its share of the squared length of a unit embedding', () => {
    for (const vector of embedGeometry(geometry, cloud(4, 0.3)))
      expect(Math.hypot(...vector) ** 2).toBeCloseTo(0.25, 6);
  });

  it('says of a face and of its mirror image the same, the other way round', () => {
    const [asIs, mirrored] = embedGeometry(geometry, cloud(4, 0.3));
    expect(furthest(asIs, mirrored)).toBeGreaterThan(1e-3);
    const [there, back] = embedGeometry(geometry, mirrorImage(cloud(4, 0.3)));
    expect(furthest(there, mirrored)).toBeLessThan(1e-4);
    expect(furthest(back, asIs)).toBeLessThan(1e-4);
  });
});
