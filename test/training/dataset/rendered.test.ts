import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXPRESSION_LABELS } from '../../../core/types.js';
import { planDataset, SHARD_CAPTURES } from '../../../training/dataset/plan.js';
import { openRendered } from '../../../training/dataset/rendered.js';
import {
  LANDMARK_FLOATS,
  SPLITS,
  writeShard,
  type Shard,
} from '../../../training/dataset/shard.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'rendered-'));
});
afterEach(() => rm(dir, { recursive: true }));

const pose = { yawDeg: 10, pitchDeg: 1, rollDeg: -2, trueYawDeg: 12, quality: 0.8 };

function shard(split: 'train' | 'test', viewsPerCapture: readonly number[]): Shard {
  return {
    version: 1,
    seed: 1,
    shapeNames: ['jawOpen'],
    missedYawDeg: [],
    captures: viewsPerCapture.map((count, i) => ({
      personId: `${split}-${String(i)}`,
      split,
      label: 'fear',
      strength: 0.5,
      shapes: [0.2],
      views: Array.from({ length: count }, () => pose),
    })),
  };
}

const view = (value: number) => ({
  crop: new Uint8Array(4096).fill(value),
  landmarks: Float32Array.from({ length: LANDMARK_FLOATS }, (_, i) => value + i / 8),
});

describe('a rendered set', () => {
  it('gives back what was written, across shards, without captures nobody was seen in', async () => {
    await writeShard(dir, 0, shard('train', [2, 0, 1]), [view(1), view(2), view(3)]);
    await writeShard(dir, 7, shard('test', [1]), [view(4)]);
    const set = await openRendered(dir);
    expect(set.groups).toBe(3);
    expect(set.people('test')).toEqual(['test-0']);
    expect(set.indices('train')).toEqual([0, 1]);
    expect(set.read(0).views.map(({ crop }) => crop[4095])).toEqual([1, 2]);
    const { views, ...capture } = set.read(1);
    expect(capture).toEqual({
      personId: 'train-2',
      split: 'train',
      label: 'fear',
      strength: 0.5,
      shapes: [0.2],
    });
    expect(views[0]).toMatchObject(pose);
    expect(views[0]!.landmarks).toEqual(view(3).landmarks);
    expect(set.read(2).views[0]!.crop).toEqual(view(4).crop);
  });

  it('joins the sets of a folder, in which an id is one person', async () => {
    await writeShard(join(dir, 'b'), 0, shard('test', [1]), [view(2)]);
    await writeShard(join(dir, 'a'), 0, shard('test', [1]), [view(1)]);
    const set = await openRendered(dir);
    expect(set.people('test')).toEqual(['test-0']);
    expect([0, 1].map((i) => set.read(i).views[0]!.crop[0])).toEqual([1, 2]);
  });

  it('says which group does not exist', async () => {
    await writeShard(dir, 0, shard('train', [1]), [view(1)]);
    const set = await openRendered(dir);
    expect(() => set.read(1)).toThrow(/no such group.*given: 1.*0 to 0/);
  });

  it('refuses a shard that was cut', async () => {
    await writeShard(dir, 0, shard('train', [1]), [view(1)]);
    await truncate(join(dir, 'shard-00000.bin'), 100);
    await expect(openRendered(dir)).rejects.toMatchObject({ code: 'invalid-file', value: 100 });
  });

  it('refuses a folder without shards and one that is not there', async () => {
    await expect(openRendered(dir)).rejects.toMatchObject({ code: 'not-found' });
    await expect(openRendered(join(dir, 'none'))).rejects.toMatchObject({ code: 'not-found' });
  });

  it('leaves nothing aside after writing', async () => {
    await writeShard(dir, 3, shard('train', [1]), [view(1)]);
    expect((await readdir(dir)).sort()).toEqual(['shard-00003.bin', 'shard-00003.json']);
  });
});

describe('the plan of a set', () => {
  const portraits = (split: string): string[] =>
    Array.from({ length: 10 }, (_, i) => `${split}${String(i)}`);
  const plan = planDataset({ subjects: 60, captures: 2000, seed: 5 }, portraits);

  it('never shows a portrait in two splits', () => {
    for (const { split, captures } of plan) {
      expect(captures.every(({ portraitId }) => portraits(split).includes(portraitId))).toBe(true);
    }
  });

  it('gives most to training and something to each split', () => {
    const share = (split: string): number =>
      plan.filter((shard) => shard.split === split).length / plan.length;
    expect(share('train')).toBeGreaterThan(0.75);
    for (const split of SPLITS) expect(share(split)).toBeGreaterThan(0.05);
  });

  it('balances the labels', () => {
    const counts = new Map<string, number>();
    for (const { label } of plan.flatMap(({ captures }) => captures)) {
      counts.set(label, (counts.get(label) ?? 0) + 1);
    }
    for (const label of EXPRESSION_LABELS) {
      expect(counts.get(label)! / 2000).toBeGreaterThan(0.12);
      expect(counts.get(label)! / 2000).toBeLessThan(0.17);
    }
  });

  it('shows each person with every label', () => {
    const labels = new Set(
      plan
        .flatMap(({ captures }) => captures)
        .filter(({ portraitId, variant }) => portraitId === 'train0' && variant === 0)
        .map(({ label }) => label),
    );
    expect(labels.size).toBe(EXPRESSION_LABELS.length);
  });

  it('draws people of its own for each seed, besides those of the portraits’ own shape', () => {
    const people = (seed: number): Set<string> =>
      new Set(
        planDataset({ subjects: 60, captures: 2000, seed }, portraits)
          .flatMap(({ captures }) => captures)
          .map(({ portraitId, variant }) => `${portraitId}-${String(variant)}`),
      );
    const [some, others] = [people(5), people(6)];
    const both = [...some].filter((person) => others.has(person));
    expect(some.size).toBe(60);
    expect(both.length).toBeGreaterThan(10);
    expect(both.every((person) => person.endsWith('-0'))).toBe(true);
  });

  it('begins a larger set like a smaller one', () => {
    const larger = planDataset({ subjects: 60, captures: 4000, seed: 5 }, portraits);
    expect(larger.slice(0, 2000 / SHARD_CAPTURES)).toEqual(plan);
  });
});
