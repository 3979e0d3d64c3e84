import { readdir, writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { liftedGroups, pictureGroups, type PictureGroups } from '../../cli/picture-groups.js';
import type { PictureSource } from '../../cli/read-groups.js';
import { EXPRESSION_LABELS } from '../../core/types.js';
import { RenderedSet, type RenderedGroup } from '../../training/dataset/rendered.js';
import type { Turn } from '../../training/index.js';
import { describeWithData, sharedData } from '../support/shared-data.js';

const [UPPER_LIP, LOWER_LIP] = [13, 14];
const yawOnly = (yawDeg: number): Turn => ({ yawDeg, pitchDeg: 0 });
/** Lower lip and chin of the mesh, by how much of a dropping jaw's way they take: less near the corners. */
const JAW = new Map<number, readonly number[]>([
  [0.35, [95, 324, 146, 375]],
  [0.7, [88, 318, 91, 321]],
  [0.9, [178, 402, 181, 405]],
  [1, [87, 14, 317, 84, 17, 314, 83, 18, 313, 200, 199, 175, 152, 148, 176, 377, 400]],
]);

describeWithData('expressions lifted onto real faces', () => {
  let root: string;
  let read: PictureGroups;
  let source: PictureSource;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'clmex-lifted-'));
    const [file] = (await readdir(sharedData('london', 'neutral'))).filter((name) => /\.(jpg|png)$/.test(name)); // prettier-ignore
    const manifest = join(root, 'm.csv');
    await writeFile(manifest, `path,label\nneutral/${file},neutral\n`);
    source = { manifest, root: sharedData('london') };
    read = await pictureGroups({ source, labels: EXPRESSION_LABELS, weight: 1, turns: [] });
  }, 60_000);
  afterAll(async () => {
    await rm(root, { recursive: true });
  });

  /** One person at rest twice, and surprised: the jaw drops. */
  const rendered = (): RenderedSet => {
    const group = (label: RenderedGroup['label'], dropPx: number): RenderedGroup => {
      const { landmarks, pose, quality } = read.neutral[0]!;
      const { crop } = read.groups[0]!.views[0]!;
      const moved = landmarks.slice();
      for (const [share, points] of JAW)
        for (const point of points) moved[3 * point + 1]! += share * dropPx;
      const view = { ...pose, trueYawDeg: 0, quality, crop, landmarks: moved };
      return { personId: 'p', split: 'train', label, strength: 1, shapes: [], views: [view] };
    };
    const groups = [group('neutral', 0), group('neutral', 0), group('surprise', 20)];
    const set = new RenderedSet([]);
    set.read = (i) => groups[i]!;
    set.indices = () => [0, 1, 2];
    return set;
  };

  const lift = (yawsDeg: number[]) =>
    liftedGroups(read, rendered(), {
      labels: EXPRESSION_LABELS,
      weight: 0.5,
      each: 2,
      turns: yawsDeg.map(yawOnly),
      seed: 1,
    });

  it('have one view where no turn is asked for', async () => {
    const groups = await lift([]);
    // Neutral ones too, as many as others, so that a warp tells nothing.
    expect(groups.map(({ label }) => EXPRESSION_LABELS[label])).toEqual([
      'neutral',
      'neutral',
      'surprise',
      'surprise',
    ]);
    expect(groups.map(({ views }) => views.length)).toEqual([1, 1, 1, 1]);
  });

  it('are seen from the sides that are asked for, as the landmark model measures them', async () => {
    const turns = [-40, -20, 20, 40];
    const [straight, turned] = [await lift([]), await lift(turns)];
    expect(turned.map(({ views }) => views[0]!.crop)).toEqual(
      straight.map(({ views }) => views[0]!.crop),
    );
    for (const { views, weight } of turned) {
      expect(weight).toBe(0.5);
      expect(views).toHaveLength(1 + turns.length);
      const [front, ...sides] = views;
      const off = sides.map(({ yawDeg }, i) => Math.abs(yawDeg - front!.yawDeg - turns[i]!));
      expect(off.reduce((sum, degrees) => sum + degrees, 0) / off.length).toBeLessThan(10);
    }
    // What was lifted is turned with it: the mouth that opened stays open.
    const gap = (i: number, view: number): number => {
      const { landmarks } = turned[i]!.views[view]!;
      const at = (point: number, axis: number): number => landmarks[3 * point + axis]!;
      const height = Math.hypot(at(10, 0) - at(152, 0), at(10, 1) - at(152, 1));
      return Math.abs(at(LOWER_LIP, 1) - at(UPPER_LIP, 1)) / height;
    };
    for (const i of [2, 3])
      for (const view of [1, 2, 3, 4]) expect(gap(i, view)).toBeGreaterThan(1.5 * gap(0, view));
  });

  it('are refused where no neutral face is there to lift', async () => {
    const options = { labels: EXPRESSION_LABELS, weight: 1, each: 1, turns: [], seed: 1 };
    await expect(liftedGroups({ ...read, neutral: [] }, rendered(), options)).rejects.toMatchObject(
      {
        code: 'invalid-argument',
        field: '--pictures',
      },
    );
  });

  it('stay as sharp as their picture: a face lifted to rest is turned as the picture itself is', async () => {
    const yawsDeg = [-40, 20];
    const [rest] = await lift(yawsDeg);
    const own = await pictureGroups({
      source,
      labels: EXPRESSION_LABELS,
      weight: 1,
      turns: yawsDeg.map(yawOnly),
    });
    const [picture] = own.groups;
    expect(picture!.views).toHaveLength(3);
    for (const [i, { crop }] of picture!.views.entries()) {
      const off = crop.map((grey, at) => Math.abs(grey - rest!.views[i]!.crop[at]!));
      expect(off.reduce((sum, levels) => sum + levels, 0) / off.length).toBeLessThan(4);
    }
  });
});
