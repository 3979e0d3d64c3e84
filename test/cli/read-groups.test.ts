import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readGroups, type PictureSource } from '../../cli/read-groups.js';
import { PictureFaceFinder } from '../../cli/face-cache.js';
import { EXPRESSION_LABELS } from '../../core/types.js';
import { createOnnxRuntime } from '../../runtime/engine/onnxruntime.js';
import { FaceStage } from '../../runtime/faces/faces.js';
import type { Turn } from '../../training/index.js';
import { describeWithData, sharedData } from '../support/shared-data.js';

const nobody = new PictureFaceFinder(() => Promise.resolve(undefined), []);
const labels = EXPRESSION_LABELS;

describe('a recording with truth', () => {
  it('gives a group for each person and instant, seen by several cameras, faces told apart', async () => {
    const data = resolve('samples/recordings/two-people.mcap');
    const { groups } = await readGroups({ data, root: '.' }, { labels, finder: nobody });
    const people = [...new Set(groups.map(({ personId }) => personId))];
    expect(people).toHaveLength(2);
    expect(groups.length).toBeGreaterThan(20);
    const shown = new Set(groups.map(({ label }) => labels[label]!));
    expect(shown.size).toBeGreaterThan(2);
    const views = groups.map((group) => group.views.length);
    expect(Math.max(...views)).toBe(4);
    expect(views.reduce((sum, n) => sum + n, 0) / views.length).toBeGreaterThan(2);
    expect(groups.every((group) => group.views.every(({ crop }) => crop?.length === 64 * 64))).toBe(true); // prettier-ignore
  }, 60_000);

  it('is refused where it has no truth', async () => {
    const data = resolve('none.mcap');
    await expect(readGroups({ data, root: '.' }, { labels, finder: nobody })).rejects.toMatchObject(
      { code: 'not-found' },
    );
  });
});

describe('pictures that cannot be used', () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'clmex-bad-'));
    const grey = { create: { width: 64, height: 64, channels: 3, background: '#555' } } as const;
    const black = { create: { ...grey.create, background: '#000' } } as const;
    for (const [name, picture] of [['grey.png', grey], ['black.png', black]] as const) {
      const path = join(root, 'anger', 'ann', 't', name);
      await mkdir(dirname(path), { recursive: true });
      await sharp(picture).png().toFile(path);
    } // prettier-ignore
    await writeFile(join(root, 'anger', 'ann', 't', 'broken.jpg'), 'no picture');
    await mkdir(join(root, 'glee'));
    await copyFile(join(root, 'anger', 'ann', 't', 'grey.png'), join(root, 'glee', 'x.png'));
  });
  afterAll(() => rm(root, { recursive: true }));

  it('are listed with the reason; one without a face stays as a view not found', async () => {
    const { groups, skipped } = await readGroups(
      { data: root, root: '.' },
      { labels, finder: nobody },
    );
    expect(Object.fromEntries(skipped.map(({ path, reason }) => [basename(path), reason]))).toEqual(
      {
        'black.png': 'is black',
        'broken.jpg': 'is no picture that can be decoded',
        'x.png': `label 'glee' is none of ${labels.join(', ')}`,
      },
    );
    expect(groups).toHaveLength(1);
    expect(groups[0]!.views.every(({ crop }) => crop === undefined)).toBe(true);
  });
});

describeWithData('faces of real pictures', () => {
  let [root, cache]: [string, string] = ['', ''];
  let stage: FaceStage;
  let finder: PictureFaceFinder;
  let looked = 0;
  const read = (source: PictureSource, turns: Turn[] = []) =>
    readGroups(source, { labels, finder, cache, turns });
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'clmex-real-'));
    cache = join(root, 'cache');
    stage = await FaceStage.create({ engine: createOnnxRuntime(1), detector: 'auto', maxFaces: 1 });
    finder = new PictureFaceFinder(async (frame) => {
      looked++;
      return (await stage.push([frame]))[0];
    }, stage.canonical.triangles);
  });
  afterAll(async () => {
    await stage.close();
    await rm(root, { recursive: true });
  });

  it('are turned to where it is asked for, as the landmark model measures them', async () => {
    const [file] = (await readdir(sharedData('london', 'smiling'))).filter((name) => /\.(jpg|png)$/.test(name)); // prettier-ignore
    const manifest = join(root, 'm.csv');
    await writeFile(manifest, `path,label\nsmiling/${file},happiness\n`);
    const turns = [
      { yawDeg: -50, pitchDeg: 0 },
      { yawDeg: -25, pitchDeg: 20 },
      { yawDeg: 0, pitchDeg: 20 },
      { yawDeg: 25, pitchDeg: -20 },
      { yawDeg: 50, pitchDeg: 0 },
    ];
    const { groups } = await read({ manifest, root: sharedData('london') }, turns);
    const [front, ...turned] = groups[0]!.views;
    expect(turned).toHaveLength(turns.length);
    for (const angle of ['yawDeg', 'pitchDeg'] as const) {
      const off = turned.map((view, i) => Math.abs(view[angle] - front![angle] - turns[i]![angle]));
      expect(off.reduce((sum, degrees) => sum + degrees, 0) / off.length).toBeLessThan(8);
    }
    expect(turned.every(({ crop }) => crop?.length === 64 * 64)).toBe(true);
    const before = looked;
    const again = await read({ manifest, root: sharedData('london') }, turns);
    expect(looked).toBe(before);
    expect(again.groups[0]!.views.map(({ crop }) => crop)).toEqual(groups[0]!.views.map(({ crop }) => crop)); // prettier-ignore
  }, 60_000);

  it('count once where a group holds the same picture twice', async () => {
    const [file] = (await readdir(sharedData('london', 'neutral'))).filter((name) => /\.(jpg|png)$/.test(name)); // prettier-ignore
    const folder = join(root, 'twice', 'neutral', 'ann', 't');
    await mkdir(folder, { recursive: true });
    for (const name of ['a.jpg', 'b.jpg']) {
      await copyFile(sharedData('london', 'neutral', file!), join(folder, name));
    }
    const { groups, skipped } = await read({ data: join(root, 'twice'), root: '.' });
    expect(groups[0]!.views).toHaveLength(1);
    expect(skipped).toEqual([{ path: join(folder, 'b.jpg'), reason: 'is the same picture as another of its group' }]); // prettier-ignore
  });
});
