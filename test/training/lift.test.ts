import { describe, expect, it } from 'vitest';
import { apply, rotationFromVector, toRadians, type Vec3 } from '../../core/geometry.js';
import type { ExpressionLabel } from '../../core/types.js';
import { alignedCrop, DEFAULT_CROP, fitCrop } from '../../encoder/crop.js';
import { Random } from '../../encoder/random.js';
import {
  cropPoints,
  expressionMoves,
  LIFTED_PICTURE,
  liftExpressions,
  type NeutralFace,
  type RestingFace,
} from '../../training/dataset/lifted.js';
import { RenderedSet } from '../../training/dataset/rendered.js';
import { warpExpression } from '../../training/lift.js';
import type { MeshShapes } from '../../training/scene/mesh-shapes.js';
import type { TurnedPicture } from '../../training/turn.js';

/** Points on a grid over the crop; a few of them are lips in the mesh's numbering. */
const points = Float32Array.from({ length: 2 * 468 }, (_, i) => {
  const at = i >> 1;
  return i % 2 === 0 ? 4 + (at % 24) * 2.4 : 4 + Math.floor(at / 24) * 2.8;
});
const still = new Float32Array(points.length);
const face = Uint8Array.from(
  { length: 64 * 64 },
  (_, i) => 90 + 60 * Math.sin((i % 64) / 5) * Math.sin(Math.floor(i / 64) / 4),
);

describe('another expression on a real face', () => {
  it('is the same picture where nothing moves', () => {
    expect(warpExpression(face, DEFAULT_CROP, points, still)).toEqual(face);
  });

  it('carries skin along with its landmarks', () => {
    const spot = new Uint8Array(64 * 64).fill(200);
    for (let y = 30; y < 33; y++) spot.fill(20, y * 64 + 30, y * 64 + 33);
    const down = points.map((_, i) => (i % 2 === 0 ? 0 : 4));
    const moved = warpExpression(spot, DEFAULT_CROP, points, down);
    const darkest = moved.indexOf(Math.min(...moved));
    expect(Math.abs(Math.floor(darkest / 64) - 35)).toBeLessThanOrEqual(1);
    expect(Math.abs((darkest % 64) - 31)).toBeLessThanOrEqual(1);
  });

  it('shows a dark mouth only where the lips part', () => {
    const mouth = points.slice();
    const ring = [
      78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
    ];
    ring.forEach((index, i) => {
      mouth[2 * index] = 32 - 8 * Math.cos((2 * Math.PI * i) / ring.length);
      mouth[2 * index + 1] = 46;
    });
    const open = still.map((_, i) => {
      const place = ring.indexOf(i >> 1);
      return i % 2 === 1 && place >= 0 ? -4 * Math.sin((2 * Math.PI * place) / ring.length) : 0;
    });
    const flat = new Uint8Array(64 * 64).fill(150);
    expect(warpExpression(flat, DEFAULT_CROP, mouth, still)[46 * 64 + 32]).toBe(150);
    const parted = warpExpression(flat, DEFAULT_CROP, mouth, open);
    expect(parted[46 * 64 + 32]).toBeLessThan(60);
    expect(parted[30 * 64 + 32]).toBe(150);
    const column = (picture: Uint8Array): number[] =>
      [42, 43, 44, 45, 46, 47, 48, 49].map((y) => picture[y * 64 + 32]!);
    // Teeth hang from the upper lip, at 42, and what they leave open stays dark.
    const smiling = column(warpExpression(flat, DEFAULT_CROP, mouth, open, 3));
    expect(Math.min(...smiling.slice(0, 3))).toBeGreaterThan(200);
    expect(Math.max(...smiling.slice(3))).toBeLessThan(60);
    // The border is neither lip nor mouth: a camera sees some of both in one pixel.
    const shades = new Set(parted);
    expect([...shades].filter((shade) => shade > 60 && shade < 150).length).toBeGreaterThan(3);
  });
});

/** A face of the mesh's eye, nose and mouth points, with depth; the brow (105) rises by `brow` pixels. */
function landmarks(brow: number): Float32Array {
  const mesh = Float32Array.from({ length: 468 * 3 }, (_, i) =>
    i % 3 === 2 ? (i * 29) % 40 : 100 + ((i * 37) % 90),
  );
  const put = (index: number, x: number, y: number): void => mesh.set([x, y, 0], index * 3);
  put(33, 110, 100);
  put(133, 140, 100);
  put(362, 180, 100);
  put(263, 210, 100);
  put(2, 160, 150);
  put(61, 135, 175);
  put(291, 185, 175);
  put(105, 120, 85 - brow);
  return mesh;
}

/** The same face seen by a head that is turned about the upright axis, and larger. */
function turnedBy(mesh: Float32Array, yawDeg: number, scale: number): Float32Array {
  const rotation = rotationFromVector([0, toRadians(yawDeg), 0]);
  const out = mesh.slice();
  for (let i = 0; i < out.length; i += 3)
    out.set(apply(rotation, [mesh[i]! - 160, mesh[i + 1]! - 130, mesh[i + 2]!]).map((value, k) => scale * value + [300, 260, 0][k]!), i); // prettier-ignore
  return out;
}

/** The mean head is this very face, half as large; its only shape raises the brow by six of its pixels. */
const SHAPES: MeshShapes = {
  rest: landmarks(0).map((value) => value / 2),
  moves: new Map([['browUp', Float32Array.from({ length: 468 * 3 }, (_, i) => (i === 3 * 105 + 1 ? -6 : 0))]]), // prettier-ignore
};

const side = 320;
const stripes = Uint8Array.from(
  { length: 3 * side * side },
  (_, i) => 120 + 80 * Math.sin(Math.floor(i / 3 / side) / 3),
);
const neutral: NeutralFace = {
  personId: 'real',
  picture: { width: side, height: side, pixels: stripes },
  landmarks: landmarks(0),
  pose: { yawDeg: 2, pitchDeg: 0, rollDeg: 0 },
};
/** How far the brow stands above the eye's corner in the face's own pixels. */
const browOf = (mesh: Float32Array): number => {
  const { a, b } = fitCrop(neutral.landmarks, LIFTED_PICTURE);
  return (mesh[3 * 33 + 1]! - mesh[3 * 105 + 1]!) / Math.hypot(a, b);
};
const OWN_BROW = 15;

describe('movements of a face', () => {
  const setOf = (...captures: [label: ExpressionLabel, strength: number, brow: number][]): RenderedSet => {
    const set = Object.assign(new RenderedSet([]), { shapeNames: ['browUp'] });
    set.capture = (i) => {
      const [label, strength, brow] = captures[i]!;
      return { personId: 'p', split: 'train', label, strength, shapes: [brow] };
    };
    return set;
  }; // prettier-ignore

  it('lead from the mean at rest to strong expressions, and to the moments at rest themselves', () => {
    const set = setOf(
      ['neutral', 0, 0.1],
      ['neutral', 0, 0.3],
      ['surprise', 0.9, 1],
      ['surprise', 0.2, 0.4],
    );
    const moves = expressionMoves(set, [0, 1, 2, 3]);
    expect(moves.map(({ label }) => label)).toEqual(['neutral', 'neutral', 'surprise']);
    const brows = moves.map(({ weights }) => weights.get('browUp')!);
    for (const [i, expected] of [-0.1, 0.1, 0.8].entries())
      expect(brows[i]).toBeCloseTo(expected, 6);
    expect(expressionMoves(setOf(['surprise', 0.9, 1]), [0])[0]!.weights.get('browUp')).toBe(1);
  });

  const options = { labels: ['neutral', 'surprise'], shapes: SHAPES, each: 8 };
  const surprise = { label: 'surprise', weights: new Map([['browUp', 1]]) };

  it('are larger than the shapes say, up to nearly twice', () => {
    const lifted = liftExpressions(neutral, [], [surprise], options, new Random(3));
    expect(lifted.map(({ label }) => label)).toEqual(Array<number>(8).fill(1));
    const rises = lifted.map(({ mesh }) => browOf(mesh) - OWN_BROW);
    // Six pixels of a head half as large.
    expect(Math.min(...rises)).toBeGreaterThan(1.2 * 12 - 0.01);
    expect(Math.max(...rises)).toBeLessThan(1.9 * 12 + 0.01);
    expect(Math.max(...rises) - Math.min(...rises)).toBeGreaterThan(3);
  });

  it('turn with the face: a brow that rises on a head leaning aside rises along that head', () => {
    const leaning = { ...neutral, landmarks: turnedBy(landmarks(0), 0, 1) };
    const roll = rotationFromVector([0, 0, toRadians(20)]);
    for (let i = 0; i < leaning.landmarks.length; i += 3)
      leaning.landmarks.set(apply(roll, [...leaning.landmarks.subarray(i, i + 3)] as unknown as Vec3), i); // prettier-ignore
    const [one] = liftExpressions(leaning, [], [surprise], options, new Random(3));
    // The picture of a lifted face is upright, whatever the roll of the first one was.
    const { a, b } = fitCrop(leaning.landmarks, LIFTED_PICTURE);
    const before = cropPoints(leaning.landmarks, LIFTED_PICTURE);
    const [dx, dy] = [0, 1].map((k) => (one!.mesh[3 * 105 + k]! - before[2 * 105 + k]!) / Math.hypot(a, b)); // prettier-ignore
    expect(dx).toBeCloseTo(0, 3);
    expect(dy).toBeLessThan(-11.9);
  });

  it('are none of a mesh that spans no space', () => {
    const flat = {
      ...neutral,
      landmarks: landmarks(0).map((value, i) => (i % 3 === 2 ? 0 : value)),
    };
    expect(liftExpressions(flat, [], [surprise], options, new Random(3))).toEqual([]);
  });

  it('start from shapes between the face’s own and those of others who are seen alike', () => {
    const rest = { label: 'neutral', weights: new Map<string, number>() };
    const other = (personId: string, brow: number, yawDeg: number): RestingFace => ({
      personId, landmarks: landmarks(brow), pose: { yawDeg, pitchDeg: 0, rollDeg: 0 },
    }); // prettier-ignore
    const brows = (others: readonly RestingFace[]): number[] =>
      liftExpressions(neutral, others, [rest], options, new Random(3)).map(({ mesh }) =>
        browOf(mesh),
      );
    for (const rise of brows([other('real', 12, 2), other('turned', 12, 40)]))
      expect(rise).toBeCloseTo(OWN_BROW, 3);
    const lent = brows([neutral, other('high', 12, 0), other('low', -6, 5)]);
    expect(Math.min(...lent)).toBeGreaterThan(OWN_BROW - 6.001);
    expect(Math.max(...lent)).toBeLessThan(OWN_BROW + 12.001);
    expect(lent.filter((rise) => rise > OWN_BROW + 2)).not.toEqual([]);
    expect(lent.filter((rise) => rise < OWN_BROW - 1)).not.toEqual([]);
  });

  it('lend shapes without the turn between two heads', () => {
    const rest = { label: 'neutral', weights: new Map<string, number>() };
    const same: RestingFace = {
      personId: 'turned a little',
      landmarks: turnedBy(landmarks(0), 6, 1.7),
      pose: { yawDeg: 8, pitchDeg: 0, rollDeg: 0 },
    };
    const own = liftExpressions(neutral, [], [rest], options, new Random(3));
    const lent = liftExpressions(neutral, [same], [rest], options, new Random(3));
    for (const [i, { mesh }] of lent.entries()) {
      const off = mesh.map((value, at) => Math.abs(value - own[i]!.mesh[at]!));
      expect(Math.max(...off)).toBeLessThan(0.01);
    }
  });

  it('give every expression they know, in a picture of which the encoder cuts what it would of the real one', () => {
    const anger = { label: 'anger', weights: new Map([['browUp', -0.5]]) };
    const labels = ['neutral', 'surprise', 'anger'];
    const lifted = liftExpressions(
      neutral,
      [],
      [surprise, anger],
      { labels, shapes: SHAPES, each: 2 },
      new Random(1),
    );
    expect(lifted.map(({ label }) => label)).toEqual([1, 1, 2, 2]);
    const cut = (picture: TurnedPicture, mesh: Float32Array): Uint8Array => {
      const crop = new Uint8Array(DEFAULT_CROP.size ** 2);
      alignedCrop(picture.pixels, picture.width, picture.height, mesh, DEFAULT_CROP, crop);
      return crop;
    };
    const straight = cut(neutral.picture, neutral.landmarks);
    for (const { personId, picture, mesh } of lifted) {
      expect(personId).toBe('real');
      expect(picture.pixels).toHaveLength(3 * LIFTED_PICTURE.size ** 2);
      const crop = cut(picture, mesh);
      expect(crop).not.toEqual(straight);
      // Where nothing moved, nothing changed.
      const chin = (of: Uint8Array): number[] => [...of.subarray(58 * 64 + 20, 58 * 64 + 44)];
      const off = chin(crop).map((grey, i) => Math.abs(grey - chin(straight)[i]!));
      expect(Math.max(...off)).toBeLessThan(12);
      // The mesh lies in the picture that is turned; eyes do not move.
      const { a, b, tx, ty } = fitCrop(landmarks(0), LIFTED_PICTURE);
      expect(mesh[3 * 33]).toBeCloseTo(a * 110 - b * 100 + tx, 3);
      expect(mesh[3 * 33 + 1]).toBeCloseTo(b * 110 + a * 100 + ty, 3);
    }
  });
});
