import { describe, expect, it } from 'vitest';
import { withBlendshapes, type ReadBlendshapes } from '../../../training/dataset/blendshapes.js';
import { toySet } from '../../support/toy-set.js';

const set = toySet({ people: 2, captures: 3, views: 2 });
const taught = [0, 2, 5];

/** A smile that depends on the landmarks, on one side of the face or the other. */
const smiling =
  (side: 'Left' | 'Right'): ReadBlendshapes =>
  (landmarks) =>
    Promise.resolve({
      _neutral: 0.5,
      eyeLookInLeft: landmarks[3]! / 1000,
      mouthSmileLeft: side === 'Left' ? landmarks[0]! / 1000 : 0,
      mouthSmileRight: side === 'Right' ? landmarks[0]! / 1000 : 0,
      jawOpen: 0.25,
    });

const smilesOf = async (read: ReadBlendshapes): Promise<number[]> => {
  const views = taught.map(async (index) => (await withBlendshapes(set, taught, read)).read(index));
  return (await Promise.all(views)).flatMap((group) => group.views.map((v) => v.blendshapes![0]!));
};

describe('blendshapes beside the views of a set', () => {
  it('are standardised over the groups that were asked for; a constant one is 0, gaze is left out', async () => {
    const seen = await withBlendshapes(set, taught, smiling('Left'));
    const rows = taught.flatMap((index) => seen.read(index).views.map((view) => view.blendshapes!));
    expect(rows).toHaveLength(6);
    for (const row of rows) expect(row).toHaveLength(2);
    const smiles = rows.map((row) => row[0]!);
    expect(smiles.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 4);
    expect(smiles.reduce((sum, value) => sum + value ** 2, 0) / 6).toBeCloseTo(1, 4);
    expect(rows.map((row) => row[1]!)).toEqual(Array(6).fill(0));
  });

  it('are the same for the left half of a face as for the right', async () => {
    expect(await smilesOf(smiling('Left'))).toEqual(await smilesOf(smiling('Right')));
  });

  it('leave other groups, and all else of these, as they were', async () => {
    const seen = await withBlendshapes(set, taught, smiling('Left'));
    expect(seen.read(1)).toBe(set.read(1));
    expect(seen.read(2).views[1]!.crop).toBe(set.read(2).views[1]!.crop);
    expect([seen.info(2), seen.size]).toEqual([set.info(2), set.size]);
  });

  it('of the most frontal view stand for the whole moment', async () => {
    const three = toySet({ people: 2, captures: 3, views: 3 });
    const seen = await withBlendshapes(three, [4], smiling('Left'));
    const group = seen.read(4);
    expect(group.views.map(({ yawDeg }) => yawDeg)).toEqual([-40, 0, 40]);
    expect(group.frontal).toEqual(group.views[1]!.blendshapes);
    expect(group.frontal).not.toEqual(group.views[0]!.blendshapes);
    expect(seen.read(3).frontal).toBeUndefined();
  });
});
