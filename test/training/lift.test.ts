import { describe, expect, it } from 'vitest';
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
import { RenderedSet, type RenderedGroup } from '../../training/dataset/rendered.js';
import { warpExpression } from '../../training/lift.js';

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

describe('movements of landmarks', () => {
  /** A face of the mesh's eye, nose and mouth points; the brow (105) rises by `brow` pixels. */
  const landmarks = (brow: number): Float32Array => {
    const mesh = Float32Array.from({ length: 468 * 3 }, (_, i) =>
      i % 3 === 2 ? 0 : 100 + ((i * 37) % 90),
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
  };
  const group = (label: RenderedGroup['label'], strength: number, brow: number, yawDeg = 0): RenderedGroup => ({
    personId: 'p', split: 'train', label, strength, shapes: [],
    views: [{ yawDeg, pitchDeg: 0, rollDeg: 0, trueYawDeg: yawDeg, quality: 1, crop: face, landmarks: landmarks(brow) }],
  }); // prettier-ignore
  const setOf = (...groups: RenderedGroup[]): RenderedSet => {
    const set = new RenderedSet([]);
    set.read = (i) => groups[i]!;
    return set;
  };

  it('are taken between one person’s neutral face and a strong expression, both frontal', () => {
    const set = setOf(
      group('neutral', 0, 0),
      group('surprise', 0.9, 12),
      group('surprise', 0.2, 2),
      group('fear', 0.9, 8, 50),
    );
    const moves = expressionMoves(set, [0, 1, 2, 3]);
    expect(moves.map(({ label }) => label)).toEqual(['surprise']);
    const scale =
      Math.hypot(
        ...cropPoints(landmarks(0), LIFTED_PICTURE)
          .subarray(2 * 263, 2 * 263 + 2)
          .map((v, i) => v - cropPoints(landmarks(0), LIFTED_PICTURE)[2 * 33 + i]!),
      ) / 100;
    expect(moves[0]!.moves[2 * 105 + 1]).toBeCloseTo(-12 * scale, 3);
    expect(moves[0]!.moves[2 * 33]).toBeCloseTo(0, 6);
  });

  it('of a face at rest are taken against another moment of its own', () => {
    const rest = [group('neutral', 0, 0), group('neutral', 0, 2)];
    const moves = expressionMoves(setOf(...rest), [0, 1]);
    expect(moves.map(({ label }) => label)).toEqual(['neutral', 'neutral']);
    const [down, up] = moves.map((one) => one.moves[2 * 105 + 1]!);
    expect(up).toBeLessThan(0);
    expect(down).toBeCloseTo(-up!, 6);
    expect(expressionMoves(setOf(rest[0]!), [0])).toEqual([]);
  });

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
    quality: 0.9,
  };

  it('start from shapes between the face’s own and those of others who are seen alike', () => {
    const moves = [{ label: 'neutral', moves: new Float32Array(2 * 468) }];
    const other = (personId: string, brow: number, yawDeg: number): RestingFace => ({
      personId, landmarks: landmarks(brow), pose: { yawDeg, pitchDeg: 0, rollDeg: 0 },
    }); // prettier-ignore
    const brows = (others: readonly RestingFace[]): number[] => {
      const options = { labels: ['neutral'], spec: DEFAULT_CROP, each: 8, weight: 1 };
      const { a, b } = fitCrop(neutral.landmarks, LIFTED_PICTURE);
      return liftExpressions(neutral, others, moves, options, new Random(3)).map(
        ({ mesh }) => (mesh[3 * 33 + 1]! - mesh[3 * 105 + 1]!) / Math.hypot(a, b),
      );
    };
    const own = 100 - 85;
    for (const rise of brows([other('real', 12, 2), other('turned', 12, 40)]))
      expect(rise).toBeCloseTo(own, 3);
    const lent = brows([neutral, other('high', 12, 0), other('low', -6, 5)]);
    expect(Math.min(...lent)).toBeGreaterThan(own - 6.001);
    expect(Math.max(...lent)).toBeLessThan(own + 12.001);
    expect(lent.filter((rise) => rise > own + 2)).not.toEqual([]);
    expect(lent.filter((rise) => rise < own - 1)).not.toEqual([]);
  });

  it('make every expression they know of a neutral face', () => {
    const moves = expressionMoves(
      setOf(group('neutral', 0, 0), group('surprise', 0.9, 12), group('anger', 0.8, -5)),
      [0, 1, 2],
    );
    const lifted = liftExpressions(
      neutral,
      [],
      moves,
      {
        labels: ['neutral', 'surprise', 'anger'],
        spec: DEFAULT_CROP,
        each: 2,
        weight: 0.5,
      },
      new Random(1),
    );
    expect(lifted.map(({ label }) => label)).toEqual([1, 1, 2, 2]);
    const straight = new Uint8Array(DEFAULT_CROP.size ** 2);
    alignedCrop(stripes, side, side, landmarks(0), DEFAULT_CROP, straight);
    for (const { views, weight, personId, picture, mesh } of lifted) {
      const [view] = views;
      expect({ weight, personId, quality: view!.quality }).toEqual({
        weight: 0.5,
        personId: 'real',
        quality: 0.9,
      });
      expect(view!.crop).not.toEqual(straight);
      // Where nothing moved, the crop is what the encoder would have been given of the real picture.
      const chin = (crop: Uint8Array): number[] => [...crop.subarray(58 * 64 + 20, 58 * 64 + 44)];
      const off = chin(view!.crop).map((grey, i) => Math.abs(grey - chin(straight)[i]!));
      expect(Math.max(...off)).toBeLessThan(12);
      // The mesh lies in the picture that is turned; eyes do not move.
      const { a, b, tx, ty } = fitCrop(landmarks(0), LIFTED_PICTURE);
      expect(mesh[3 * 33]).toBeCloseTo(a * 110 - b * 100 + tx, 3);
      expect(mesh[3 * 33 + 1]).toBeCloseTo(b * 110 + a * 100 + ty, 3);
      expect(picture.pixels).toHaveLength(3 * LIFTED_PICTURE.size ** 2);
    }
  });
});
