import { describe, expect, it } from 'vitest';
import { apply, rotationFromVector, toRadians, type Vec3 } from '../../core/geometry.js';
import type { ExpressionLabel } from '../../core/types.js';
import { alignedCrop, DEFAULT_CROP, fitCrop } from '../../encoder/crop.js';
import { Random } from '../../encoder/random.js';
import {
  expressionMoves,
  LIFTED_PICTURE,
  liftExpressions,
  type ExpressionMove,
  type NeutralFace,
  type RestingFace,
} from '../../training/dataset/lifted.js';
import { RenderedSet } from '../../training/dataset/rendered.js';
import { warpExpression } from '../../training/lift.js';
import type { MeshShapes } from '../../training/scene/mesh-shapes.js';
import type { RgbPicture } from '../../training/warp.js';
import { canonicalFace } from '../support/canonical-face.js';

const SIDE = 240;
const EYE_DISTANCE_PX = 72;
const { points, triangles } = await canonicalFace();
/** The inner border of the upper lip, and of the lower below it. */
const UPPER = [191, 80, 81, 82, 13, 312, 311, 310, 415];
const LOWER = [95, 88, 178, 87, 14, 317, 402, 318, 324];
/** The canonical face seen straight on, its mouth closed, its eyes as far apart as in a picture that is lifted. */
const own = ((): Float32Array => {
  const scale = EYE_DISTANCE_PX / 0.0635;
  const mesh = Float32Array.from(points, (value, i) =>
    i % 3 === 0 ? SIDE / 2 + scale * value : [SIDE / 2, 0][(i % 3) - 1]! - scale * value,
  );
  LOWER.forEach((index, i) => (mesh[3 * index + 1] = mesh[3 * UPPER[i]! + 1]! + 0.5));
  return mesh;
})();
const at = (index: number): [x: number, y: number] => [own[3 * index]!, own[3 * index + 1]!];

const picture = (grey: (x: number, y: number) => number): RgbPicture => ({
  width: SIDE,
  height: SIDE,
  pixels: Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return grey((pixel % SIDE) + 0.5, Math.floor(pixel / SIDE) + 0.5);
  }),
});
/** Dark spots of a pixel or two on light skin. */
const spotted = (...spots: [x: number, y: number][]): RgbPicture =>
  picture((x, y) => 200 - 180 * Math.max(...spots.map(([sx, sy]) => Math.exp(-((x - sx) ** 2 + (y - sy) ** 2) / 3)))); // prettier-ignore

/** The mesh with some points moved down, by pixels. */
function lowered(by: Readonly<Record<number, number>>): Float32Array {
  const mesh = own.slice();
  for (const [index, y] of Object.entries(by)) mesh[3 * Number(index) + 1]! += y;
  return mesh;
}
const warp = (of: RgbPicture, moved: Float32Array, teethPx = 0): RgbPicture =>
  warpExpression(of, own, moved, triangles, { eyeDistancePx: EYE_DISTANCE_PX, teethPx });

/** The dark spot's middle within some pixels of a place. */
function spotNear({ pixels }: RgbPicture, [cx, cy]: readonly [number, number], reach: number) {
  let [sum, x, y] = [0, 0, 0];
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      const [px, py] = [Math.floor(cx) + dx, Math.floor(cy) + dy];
      const dark = 200 - pixels[3 * (py * SIDE + px)]!;
      [sum, x, y] = [sum + dark, x + dark * (px + 0.5), y + dark * (py + 0.5)];
    }
  }
  return [x / sum, y / sum] as const;
}

const RIGHT_BROW = [46, 53, 52, 65, 55, 70, 63, 105, 66, 107];
const [BROW, LID, UPPER_LIP] = [105, 159, 13];

describe('another expression on a real face', () => {
  const waves = picture((x, y) => 90 + 60 * Math.sin(x / 5) * Math.sin(y / 4));

  it('is the same picture where nothing moves', () => {
    expect(warp(waves, own)).toEqual(waves);
  });

  it('carries a brow as far as its landmarks move, and leaves the lid below where it is', () => {
    const frown = lowered(Object.fromEntries(RIGHT_BROW.map((index) => [index, 9])));
    const moved = warp(spotted(at(BROW), at(LID)), frown);
    const [x, y] = at(BROW);
    const brow = spotNear(moved, [x, y + 9], 4);
    expect(brow[0]).toBeCloseTo(x, 0);
    expect(Math.abs(brow[1] - y - 9)).toBeLessThan(0.5);
    const lid = spotNear(moved, at(LID), 3);
    expect(Math.abs(lid[1] - at(LID)[1])).toBeLessThan(0.5);
  });

  it('hides what a brow comes to lie over', () => {
    // The brow stands out further than the lid, as on a head.
    const frown = lowered(Object.fromEntries(RIGHT_BROW.map((index) => [index, 24])));
    const [x, y] = at(LID);
    const before = spotNear(spotted([x, y]), [x, y], 2);
    expect(Math.abs(before[1] - y)).toBeLessThan(0.5);
    const grey = warp(spotted([x, y]), frown).pixels[3 * (Math.floor(y) * SIDE + Math.floor(x))]!;
    expect(grey).toBeGreaterThan(120);
  });

  it('changes nothing far from the face', () => {
    const dropped = own.map((value, i) => (i % 3 === 1 && value > SIDE / 2 ? value + 8 : value));
    const { pixels } = warp(waves, dropped);
    for (const x of [2, SIDE / 2, SIDE - 3])
      expect(pixels[3 * (3 * SIDE + x)]).toBe(waves.pixels[3 * (3 * SIDE + x)]);
    expect(pixels).not.toEqual(waves.pixels);
  });

  it('shows a dark mouth and teeth only where the lips part', () => {
    const open = lowered(Object.fromEntries(LOWER.map((index) => [index, 14])));
    const skin = picture(() => 150);
    const [x, top] = at(UPPER_LIP);
    const column = (of: RgbPicture): number[] =>
      [3, 6, 9, 11].map((y) => of.pixels[3 * (Math.floor(top + y) * SIDE + Math.floor(x))]!);
    expect(column(warp(skin, own))).toEqual([150, 150, 150, 150]);
    const parted = warp(skin, open);
    expect(Math.max(...column(parted))).toBeLessThan(60);
    expect(parted.pixels[3 * (30 * SIDE + 30)]).toBe(150);
    // Teeth hang from the upper lip, and what they leave open stays dark.
    const smiling = column(warp(skin, open, 7.5));
    expect(Math.min(...smiling.slice(0, 2))).toBeGreaterThan(200);
    expect(Math.max(...smiling.slice(2))).toBeLessThan(60);
    // The border is neither lip nor mouth: a camera sees some of both in one pixel.
    const shades = new Set(parted.pixels);
    expect([...shades].filter((shade) => shade > 60 && shade < 150).length).toBeGreaterThan(3);
  });
});

const side = 320;
/** The canonical face in a picture's middle; the brow (105) rises by `brow` pixels. */
function landmarks(brow: number): Float32Array {
  const mesh = own.map((value, i) => (i % 3 === 2 ? value : value + (side - SIDE) / 2));
  mesh[3 * BROW + 1]! -= brow;
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
  head: new Float32Array(),
};

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
const OWN_BROW = landmarks(0)[3 * 33 + 1]! - landmarks(0)[3 * BROW + 1]!;

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

  const options = {
    labels: ['neutral', 'surprise'],
    shapes: SHAPES,
    triangles,
    each: 8,
    glasses: 0,
    stretch: 0,
  };
  const surprise = { label: 'surprise', weights: new Map([['browUp', 1]]) };

  it('are smaller or larger than the shapes say, as people show more or less', () => {
    const lifted = liftExpressions(neutral, [], [surprise], options, new Random(3));
    expect(lifted.map(({ label }) => label)).toEqual(Array<number>(8).fill(1));
    const rises = lifted.map(({ mesh }) => browOf(mesh) - OWN_BROW);
    // Six pixels of a head half as large.
    expect(Math.min(...rises)).toBeGreaterThan(0.9 * 12 - 0.01);
    expect(Math.max(...rises)).toBeLessThan(1.5 * 12 + 0.01);
    expect(Math.max(...rises) - Math.min(...rises)).toBeGreaterThan(3);
  });

  it('turn with the face: a brow that rises on a head leaning aside rises along that head', () => {
    const leaning = { ...neutral, landmarks: turnedBy(landmarks(0), 0, 1) };
    const roll = rotationFromVector([0, 0, toRadians(20)]);
    for (let i = 0; i < leaning.landmarks.length; i += 3)
      leaning.landmarks.set(apply(roll, [...leaning.landmarks.subarray(i, i + 3)] as unknown as Vec3), i); // prettier-ignore
    const [one] = liftExpressions(leaning, [], [surprise], options, new Random(3));
    // The picture of a lifted face is upright, whatever the roll of the first one was.
    const { a, b, tx, ty } = fitCrop(leaning.landmarks, LIFTED_PICTURE);
    const [x, y] = leaning.landmarks.subarray(3 * BROW, 3 * BROW + 2) as unknown as [number, number]; // prettier-ignore
    const before = [a * x - b * y + tx, b * x + a * y + ty];
    const [dx, dy] = [0, 1].map((k) => (one!.mesh[3 * BROW + k]! - before[k]!) / Math.hypot(a, b));
    expect(dx).toBeCloseTo(0, 3);
    expect(dy).toBeLessThan(0.9 * -12 + 0.01);
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

  it('are not undone by a lent shape, which moves a face at rest all the same', () => {
    const high: RestingFace = { ...neutral, personId: 'high', landmarks: landmarks(30) };
    const anger = { label: 'surprise', weights: new Map([['browUp', -1]]) };
    const lowered = liftExpressions(neutral, [high], [anger], options, new Random(3));
    for (const { mesh } of lowered) expect(browOf(mesh) - OWN_BROW).toBeLessThan(0.9 * -12 + 0.5);
    const rest = { label: 'neutral', weights: new Map([['browUp', -1]]) };
    const calm = liftExpressions(neutral, [high], [rest], options, new Random(3));
    expect(Math.max(...calm.map(({ mesh }) => browOf(mesh) - OWN_BROW))).toBeGreaterThan(5);
  });

  it('leave a hint of an expression in a face at rest, of a smile none', () => {
    const rest = { label: 'neutral', weights: new Map<string, number>() };
    const smile = { label: 'happiness', weights: new Map([['browUp', 5]]) };
    const rises = (moves: ExpressionMove[]): number[] =>
      liftExpressions(neutral, [], moves, options, new Random(3))
        .filter(({ label }) => options.labels[label] === 'neutral')
        .map(({ mesh }) => browOf(mesh) - OWN_BROW);
    for (const rise of rises([rest, smile])) expect(rise).toBeCloseTo(0, 3);
    const hinted = rises([rest, smile, surprise]);
    expect(Math.min(...hinted)).toBeGreaterThan(-0.01);
    expect(Math.max(...hinted)).toBeLessThan(0.45 * 12 + 0.01);
    expect(Math.max(...hinted) - Math.min(...hinted)).toBeGreaterThan(2);
  });

  it('come with faces up to so many times taller, or wider, than the one that is lifted', () => {
    const still = { label: 'surprise', weights: new Map<string, number>() };
    const proportions = (stretch: number): number[] =>
      liftExpressions(neutral, [], [still], { ...options, stretch }, new Random(3)).map(
        ({ mesh }) => {
          const along = (axis: number, a: number, b: number) => Math.abs(mesh[3 * a + axis]! - mesh[3 * b + axis]!); // prettier-ignore
          return along(1, 10, 152) / along(0, 33, 263);
        },
      );
    const [usual] = proportions(0);
    const tall = proportions(0.2).map((one) => one / usual!);
    expect(Math.min(...tall)).toBeGreaterThan(1 / 1.2 - 1e-4);
    expect(Math.max(...tall)).toBeLessThan(1.2 + 1e-4);
    expect(Math.min(...tall)).toBeLessThan(0.95);
    expect(Math.max(...tall)).toBeGreaterThan(1.05);
  });

  it('give every expression they know, in a picture of which the encoder cuts what it would of the real one', () => {
    const anger = { label: 'anger', weights: new Map([['browUp', -0.5]]) };
    const labels = ['neutral', 'surprise', 'anger'];
    const lifted = liftExpressions(
      neutral,
      [],
      [surprise, anger],
      { ...options, labels, each: 2 },
      new Random(1),
    );
    expect(lifted.map(({ label }) => label)).toEqual([1, 1, 2, 2]);
    const cut = (picture: RgbPicture, mesh: Float32Array): Uint8Array => {
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
      const [x, y] = [landmarks(0)[3 * 33]!, landmarks(0)[3 * 33 + 1]!];
      expect(mesh[3 * 33]).toBeCloseTo(a * x - b * y + tx, 3);
      expect(mesh[3 * 33 + 1]).toBeCloseTo(b * x + a * y + ty, 3);
    }
  });
});
