import { describe, expect, it } from 'vitest';
import { alignedCrop, DEFAULT_CROP, meshInCrop } from '../../encoder/crop.js';
import { cropNormalizer, DEFAULT_MASK } from '../../encoder/normalize.js';
import { Random } from '../../encoder/random.js';
import { createAugmenter } from '../../training/augment.js';
import { joinGroups, listedGroups } from '../../training/dataset/groups.js';
import { prepareBatch, readDrawn } from '../../training/batch.js';
import { fitGeometryFrame } from '../../training/geometry-frame.js';
import { parseRecipe } from '../../training/recipe.js';
import {
  balancedSampler,
  peopleSampler,
  shareOfLabels,
  stepRandom,
} from '../../training/sampler.js';
import { canonicalFace } from '../support/canonical-face.js';
import { toySet } from '../support/toy-set.js';

const still = {
  flip: false,
  rotateDeg: 0,
  scale: 0,
  shiftPx: 0,
  gamma: 1,
  ramp: 0,
  noise: 0,
  blur: 0,
  erase: 0,
};
const recipeOf = (changes: Record<string, unknown>) =>
  parseRecipe({ stage: 'pretrain', augmentation: { ...still, ...changes } }).augmentation;
const gradient = Uint8Array.from({ length: 64 * 64 }, (_, i) => 40 + 2 * (i % 64));

describe('augmentation', () => {
  const apply = (
    changes: Record<string, unknown>,
    seed = 1,
  ): { out: Uint8Array; mirrored: boolean } => {
    const out = new Uint8Array(64 * 64);
    const mirrored = createAugmenter(64, recipeOf(changes)).apply(gradient, out, new Random(seed));
    return { out, mirrored };
  };

  it('leaves a crop alone where nothing is asked for', () => {
    expect(apply({}).out).toEqual(gradient);
  });

  it('mirrors about half of the crops, exactly', () => {
    const drawn = Array.from({ length: 60 }, (_, seed) => apply({ flip: true }, seed));
    const mirrored = drawn.filter((one) => one.mirrored);
    expect(mirrored.length).toBeGreaterThan(18);
    expect(mirrored.length).toBeLessThan(42);
    expect(mirrored[0]!.out.subarray(0, 64)).toEqual(gradient.slice(0, 64).reverse());
  });

  it('blurs by passes that each add half a squared pixel of variance, up to the recipe’s number', () => {
    const column = Uint8Array.from({ length: 64 * 64 }, (_, i) => (i % 64 === 32 ? 255 : 0));
    const varianceOf = (blurPasses: number, seed: number): number => {
      const out = new Uint8Array(64 * 64);
      createAugmenter(64, recipeOf({ blur: 1, blurPasses })).apply(column, out, new Random(seed));
      const row = out.subarray(32 * 64, 33 * 64);
      const total = row.reduce((sum, value) => sum + value, 0);
      return row.reduce((sum, value, x) => sum + value * (x - 32) ** 2, 0) / total;
    };
    expect(varianceOf(1, 1)).toBeCloseTo(0.5, 1);
    const passes = Array.from({ length: 40 }, (_, seed) => varianceOf(4, seed) / 0.5);
    expect(new Set(passes.map(Math.round))).toEqual(new Set([1, 2, 3, 4]));
  });

  it('shifts by at most what the recipe says', () => {
    for (let seed = 0; seed < 30; seed++) {
      const { out } = apply({ shiftPx: 3 }, seed);
      // One pixel of shift is two grey levels of this ramp.
      expect(Math.abs(out[32 * 64 + 32]! - gradient[32 * 64 + 32]!)).toBeLessThanOrEqual(6);
    }
  });

  describe('that stretches a face', () => {
    /** Face and picture leaning aside; `tall` stretches both along the face. */
    const SIDE = 200;
    const [cos, sin] = [Math.cos(0.3), Math.sin(0.3)];
    const seen = async (tall: number) => {
      const { points } = await canonicalFace();
      const landmarks = Float32Array.from(points);
      for (let i = 0; i < points.length; i += 3) {
        const [x, y] = [500 * points[i]!, -500 * tall * points[i + 1]!];
        landmarks.set([SIDE / 2 + cos * x - sin * y, SIDE / 2 + sin * x + cos * y, -500 * points[i + 2]!], i); // prettier-ignore
      }
      const pixels = Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => {
        const at = Math.floor(i / 3);
        const [px, py] = [(at % SIDE) + 0.5 - SIDE / 2, Math.floor(at / SIDE) + 0.5 - SIDE / 2];
        const [x, y] = [cos * px + sin * py, (-sin * px + cos * py) / tall];
        return 128 + 50 * Math.sin(x / 6) + 50 * Math.cos(y / 5);
      });
      const crop = new Uint8Array(64 * 64);
      alignedCrop(pixels, SIDE, SIDE, landmarks, DEFAULT_CROP, crop);
      return { landmarks, crop };
    };
    const heightOverWidth = (mesh: Float32Array): number =>
      (mesh[3 * 152 + 1]! - mesh[3 * 10 + 1]!) / (mesh[3 * 454]! - mesh[3 * 234]!);

    it('gives the crop and the landmarks that a picture stretched along the face would give', async () => {
      const augmenter = createAugmenter(64, recipeOf({ stretch: 0.2 }));
      const { landmarks, crop } = await seen(1);
      const own = heightOverWidth(meshInCrop(landmarks, DEFAULT_CROP));
      const drawn = [];
      for (let seed = 0; seed < 12; seed++) {
        const stretched = augmenter.stretch(landmarks, new Random(seed))!;
        const tall = heightOverWidth(stretched.landmarks) / own;
        drawn.push(tall);
        const out = new Uint8Array(64 * 64);
        augmenter.apply(crop, out, new Random(seed), stretched);
        const expected = await seen(tall);
        const off = out.map((value, i) => Math.abs(value - expected.crop[i]!));
        // Away from the border, whose pixels repeat where the crop has none.
        const inside = off.filter((_, i) => i % 64 > 9 && i % 64 < 54 && i > 9 * 64 && i < 54 * 64);
        expect(Math.max(...inside)).toBeLessThan(6);
      }
      expect(Math.min(...drawn)).toBeGreaterThan(1 / 1.2 - 1e-6);
      expect(Math.max(...drawn)).toBeLessThan(1.2 + 1e-6);
      expect(Math.max(...drawn) - Math.min(...drawn)).toBeGreaterThan(0.15);
    });

    it('is left out where the recipe asks for none', async () => {
      const { landmarks } = await seen(1);
      expect(createAugmenter(64, recipeOf({})).stretch(landmarks, new Random(1))).toBeUndefined();
    });

    it('reaches the landmarks that the network sees', async () => {
      const { landmarks, crop } = await seen(1);
      const view = { yawDeg: 0, pitchDeg: 0, rollDeg: 0, quality: 1, landmarks, crop };
      const taller = { ...view, ...(await seen(1.15)) };
      const set = listedGroups(['calm'], [view, taller].map((one) => ({ personId: 'p', label: 0, views: [one] }))); // prettier-ignore
      const frame = fitGeometryFrame(set, [0, 1]);
      const normalize = cropNormalizer(64, DEFAULT_MASK);
      const geometryOf = (group: number, stretch: number, seed: number) =>
        prepareBatch([{ ...set.read(group), seed }], { size: 64, frame, normalize, augmenter: createAugmenter(64, recipeOf({ stretch, geometryNoise: 0, geometryDrop: 0 })) }).geometry; // prettier-ignore
      const [own, tall] = [geometryOf(0, 0, 1), geometryOf(1, 0, 1)];
      const apart = (a: Float32Array, b: Float32Array) => Math.hypot(...a.map((value, i) => value - b[i]!)); // prettier-ignore
      const nearest = Math.min(...Array.from({ length: 40 }, (_, seed) => apart(geometryOf(0, 0.2, seed), tall))); // prettier-ignore
      expect(nearest).toBeLessThan(0.2 * apart(own, tall));
    });
  });

  it('erases one rectangle of the normalised crop', () => {
    const image = new Float32Array(64 * 64).fill(1);
    createAugmenter(64, recipeOf({ erase: 1 })).erase(image, new Random(4));
    const zeros = image.filter((value) => value === 0).length;
    expect(zeros).toBeGreaterThan(36);
    expect(zeros).toBeLessThan(28 * 28);
  });
});

describe('batches', () => {
  const set = toySet({ people: 5, captures: 6, views: 4 });
  const all = Array.from({ length: set.size }, (_, i) => i);
  const shape = { people: 3, captures: 2, views: 3 };

  it('of pre-training hold several captures of each of several people', () => {
    const drawn = peopleSampler(set, all, shape)(stepRandom(1, 0));
    const people = drawn.map(({ group }) => set.info(group).personId);
    expect(new Set(people).size).toBe(3);
    expect(drawn).toHaveLength(6);
    expect(new Set(drawn.map(({ group }) => group)).size).toBe(6);
    for (const { views } of drawn) expect(new Set(views).size).toBe(3);
  });

  it('of finetuning hold every label equally often, however rare it is', () => {
    const rare = all.filter((i) => set.info(i).label !== 0 || set.info(i).personId === 'person-0');
    const counts = [0, 0, 0];
    for (let step = 0; step < 50; step++) {
      for (const { group } of balancedSampler(set, rare, shape)(stepRandom(2, step)))
        counts[set.info(group).label]!++;
    }
    expect(counts).toEqual([100, 100, 100]);
  });

  it('are the same for the same seed and step, and differ from step to step', () => {
    const sampler = peopleSampler(set, all, shape);
    expect(sampler(stepRandom(1, 7))).toEqual(sampler(stepRandom(1, 7)));
    expect(sampler(stepRandom(1, 7))).not.toEqual(sampler(stepRandom(1, 8)));
  });

  it('fuse a random non-empty subset of each group’s views', () => {
    const normalize = cropNormalizer(64, DEFAULT_MASK);
    const augmenter = createAugmenter(64, recipeOf({}));
    const sizes = new Set<number>();
    for (let step = 0; step < 20; step++) {
      const random = stepRandom(3, step);
      const groups = readDrawn(set, balancedSampler(set, all, shape)(random), random);
      const batch = prepareBatch(groups, { size: 64, normalize, augmenter });
      expect(batch.rows).toBe(18);
      batch.labels.forEach((_, g) =>
        sizes.add(batch.fused.filter((used, row) => used && batch.groupOf[row] === g).length),
      );
    }
    expect([...sizes].sort()).toEqual([1, 2, 3]);
  });

  it('take single pictures beside the groups, at their own weight and without shapes', () => {
    const rendered = toySet({ people: 2, captures: 3, views: 2, shapes: 3 });
    const { views } = set.read(0);
    const joined = joinGroups(
      rendered,
      listedGroups(set.labels, [
        { personId: 'real', label: 1, weight: 0.25, views: views.slice(0, 1) },
      ]),
    );
    expect(joined.size).toBe(7);
    expect(joined.info(6).personId).toBe('real');
    const drawn = [{ group: 0, views: [0, 1] }, { group: 6, views: [0] }]; // prettier-ignore
    const batch = prepareBatch(readDrawn(joined, drawn, new Random(1)), {
      size: 64,
      normalize: cropNormalizer(64, DEFAULT_MASK),
    });
    expect(batch).toMatchObject({
      rows: 3,
      groupOf: [0, 0, 1],
      labels: [0, 1],
      weights: [1, 0.25],
      fused: [true, true, true],
    });
    expect(batch.shapes[0]).toHaveLength(3);
    expect(batch.shapes[1]).toBeUndefined();
  });

  it('see only the share of the labels that the recipe allows', () => {
    const some = shareOfLabels(set, all, 0.2, 1);
    expect(
      [0, 1, 2].map((label) => some.filter((i) => set.info(i).label === label).length),
    ).toEqual([2, 2, 2]);
    expect(shareOfLabels(set, all, 0.001, 1)).toHaveLength(3);
  });
});
