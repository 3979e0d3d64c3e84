import { beforeAll, describe, expect, it } from 'vitest';
import { selectBackend } from '../../encoder/backend/backend.js';
import { fuseViews, type Head } from '../../encoder/fusion.js';
import { Random } from '../../encoder/random.js';
import { fitHead } from '../../training/fit-head.js';
import { argmax } from '../../training/metrics.js';
import { parseRecipe } from '../../training/recipe.js';
import type { EmbeddedGroup } from '../../training/validate.js';

const WIDTH = 8;
const LABELS = ['neutral', 'happiness', 'sadness'];
const recipe = parseRecipe({ stage: 'finetune', seed: 3, head: { prototypesPerLabel: 1 } });

/**
 * The label shows along one of the first axes, of unlike people along the next one as much; a blurred view
 * is noise, and its quality says so.
 */
function people(seed: number, { unlike = 0, blurred = 0.4 } = {}): EmbeddedGroup[] {
  const random = new Random(seed);
  return Array.from({ length: 240 }, (_, g) => ({
    personId: `person-${seed}-${g % 20}`,
    label: g % LABELS.length,
    views: Array.from({ length: 4 }, () => {
      const blur = random.uniform() < blurred;
      const embedding = Float32Array.from({ length: WIDTH }, () => 0.35 * random.normal());
      if (!blur) embedding[g % LABELS.length]! += 1;
      if (!blur) embedding[(g + 1) % LABELS.length]! += unlike;
      const length = Math.hypot(...embedding);
      return {
        embedding: embedding.map((value) => value / length),
        ...{ yawDeg: 0, pitchDeg: 0, rollDeg: 0, quality: blur ? 0.1 : 0.9 },
        ...{ crop: new Uint8Array(0), landmarks: new Float32Array(0) },
      };
    }),
  }));
}

/** As if trained with other people: prototypes along the axes, no view better than another. */
function headAlongAxes(): Head {
  const prototypes = new Float32Array(LABELS.length * WIDTH);
  LABELS.forEach((_, label) => (prototypes[label * WIDTH + label] = 1));
  return {
    prototypes: { shape: [LABELS.length, WIDTH], data: prototypes },
    prototypesPerLabel: 1,
    scale: 14,
    query: { shape: [WIDTH], data: new Float32Array(WIDTH) },
    viewBias: { shape: [5], data: new Float32Array(5) },
  };
}

function accuracy(head: Head, groups: readonly EmbeddedGroup[], views: number): number {
  const right = groups.filter(({ label, views: all }) => {
    const seen = all.slice(0, views);
    return argmax(fuseViews(head, seen.map(({ embedding }) => embedding), seen).logits) === label; // prettier-ignore
  });
  return right.length / groups.length;
}

describe('a head that is fitted again', () => {
  let fitted: Head;
  beforeAll(async () => {
    await selectBackend('wasm');
    fitted = await fitHead(headAlongAxes(), people(1), LABELS, recipe);
  });

  it('learns which views deserve attention, as other people show', () => {
    const [before, others] = [headAlongAxes(), people(2)];
    expect(fitted.viewBias.data[4]!).toBeGreaterThan(0.05);
    expect(accuracy(fitted, others, 4)).toBeGreaterThan(accuracy(before, others, 4));
  });

  it('tells labels that it could hardly tell, and still tells those that it could', async () => {
    const before = headAlongAxes();
    const unlike = { unlike: 1, blurred: 0 };
    const after = await fitHead(before, people(1, unlike), LABELS, recipe);
    expect(accuracy(before, people(2, unlike), 1)).toBeLessThan(0.6);
    expect(accuracy(after, people(2, unlike), 1)).toBeGreaterThan(0.8);
    expect(accuracy(fitted, people(2, { blurred: 0 }), 1)).toBeGreaterThan(0.95);
  });

  it('has prototypes of length one, leaves the given head alone, and is the same each time', async () => {
    const before = headAlongAxes();
    expect(await fitHead(before, people(1), LABELS, recipe)).toEqual(fitted);
    expect(before).toEqual(headAlongAxes());
    LABELS.forEach((_, label) => {
      const row = fitted.prototypes.data.subarray(label * WIDTH, (label + 1) * WIDTH);
      expect(Math.hypot(...row)).toBeCloseTo(1, 5);
    });
  });

  it('asks for people who show different things', async () => {
    const neutral = people(1).filter(({ label }) => label === 0);
    await expect(fitHead(headAlongAxes(), neutral, LABELS, recipe)).rejects.toMatchObject({
      code: 'invalid-argument',
      value: 1,
    });
  });
});
