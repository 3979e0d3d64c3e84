import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  liftedGroups,
  pictureGroups,
  withFaceFinder,
  type PictureGroups,
} from '../../cli/picture-groups.js';
import type { PictureSource } from '../../cli/read-groups.js';
import { EXPRESSION_LABELS } from '../../core/types.js';
import { DEFAULT_CROP } from '../../encoder/crop.js';
import { writeShard } from '../../training/dataset/shard.js';
import type { Evaluation } from '../../training/evaluate.js';
import {
  readMeshShapes,
  type ExpressionMove,
  type LabelledGroup,
  type MeshShapes,
  type Turn,
} from '../../training/index.js';
import { runCli } from '../support/cli.js';
import { describeWithData, sharedData } from '../support/shared-data.js';

const [UPPER_LIP, LOWER_LIP] = [13, 14];
const SMILE = ['mouthSmile_L', 'mouthSmile_R'] as const;
const yawOnly = (yawDeg: number): Turn => ({ yawDeg, pitchDeg: 0 });

describeWithData('expressions lifted onto real faces', () => {
  let root: string;
  let read: PictureGroups;
  let source: PictureSource;
  let shapes: MeshShapes;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'clmex-lifted-'));
    const [file] = (await readdir(sharedData('london', 'neutral'))).filter((name) => /\.(jpg|png)$/.test(name)); // prettier-ignore
    const manifest = join(root, 'm.csv');
    await writeFile(manifest, `path,label\nneutral/${file},neutral\n`);
    source = { manifest, root: sharedData('london') };
    shapes = await readMeshShapes(sharedData());
    read = await pictureGroups({ source, labels: EXPRESSION_LABELS, weight: 1, turns: [] });
  }, 60_000);
  afterAll(async () => {
    await rm(root, { recursive: true });
  });

  /** As somebody rests, and laughs: the jaw drops. Laughter leaves no hint in a face at rest. */
  const moves: ExpressionMove[] = [
    { label: 'neutral', weights: new Map() },
    { label: 'happiness', weights: new Map([['jawOpen', 0.4]]) },
  ];
  const lifted = (
    { neutral }: Pick<PictureGroups, 'neutral'>,
    options: Parameters<typeof liftedGroups>[3],
  ) => withFaceFinder((finder) => liftedGroups(neutral, moves, finder, options));

  const lift = (yawsDeg: number[]) =>
    lifted(read, {
      labels: EXPRESSION_LABELS,
      weight: 0.5,
      each: 2,
      turns: yawsDeg.map(yawOnly),
      shapes,
      glasses: 0,
      stretch: 0,
      seed: 1,
    });

  it('have one view where no turn is asked for', async () => {
    const groups = await lift([]);
    // Neutral ones too, as many as others, so that a warp tells nothing.
    expect(groups.map(({ label }) => EXPRESSION_LABELS[label])).toEqual([
      'neutral',
      'neutral',
      'happiness',
      'happiness',
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

  it('wear glasses before their eyes where that is asked for, and are found with them', async () => {
    const one = {
      labels: EXPRESSION_LABELS,
      weight: 1,
      each: 1,
      turns: [],
      shapes,
      stretch: 0,
      seed: 1,
    };
    // The first is at rest: glasses are drawn from the stream of numbers after it.
    const [bare] = await lifted(read, { ...one, glasses: 0 });
    const [worn] = await lifted(read, { ...one, glasses: 1 });
    const { size, eyeLinePx } = DEFAULT_CROP;
    const row = ({ views: [view] }: LabelledGroup, y: number): number[] => [
      ...view!.crop.subarray(size * y, size * (y + 1)),
    ];
    const off = Array.from({ length: size }, (_, y) => {
      const [one, other] = [row(bare!, y), row(worn!, y)];
      return one.reduce((sum, grey, x) => sum + Math.abs(grey - other[x]!), 0) / size;
    });
    const mean = (from: number, to: number): number =>
      off.slice(from, to).reduce((sum, value) => sum + value, 0) / (to - from);
    const eyes = Math.round(eyeLinePx);
    const cheeks = mean(eyes + 8, eyes + 22);
    expect(mean(eyes - 5, eyes + 2)).toBeGreaterThan(3 * cheeks);
  });

  it('are refused where no neutral face is there to lift', async () => {
    const options = {
      labels: EXPRESSION_LABELS,
      weight: 1,
      each: 1,
      turns: [],
      shapes,
      glasses: 0,
      stretch: 0,
      seed: 1,
    };
    await expect(lifted({ neutral: [] }, options)).rejects.toMatchObject({
      code: 'invalid-argument',
      field: '--lift',
    });
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

  it('are scored in place of the pictures: the shipped weights call a lifted smile happy', async () => {
    const moves = join(root, 'rendered');
    const captures = [{}, { mouthSmile_L: 1, mouthSmile_R: 1 }].map((shapes, i) => ({
      personId: 'p',
      split: 'test' as const,
      label: (['neutral', 'happiness'] as const)[i]!,
      strength: i,
      shapes: [...SMILE].map((name) => (shapes as Record<string, number>)[name] ?? 0),
      views: [{ yawDeg: 0, pitchDeg: 0, rollDeg: 0, quality: 1, trueYawDeg: 0 }],
    }));
    await mkdir(moves);
    const blank = { crop: new Uint8Array(64 * 64), landmarks: new Float32Array(468 * 3) };
    await writeShard(
      moves,
      0,
      { version: 1, seed: 1, shapeNames: [...SMILE], missedYawDeg: [], captures },
      [blank, blank],
    );
    const { stdout, stderr } = await runCli(
      'evaluate',
      ...['--manifest', source.manifest!, '--root', source.root],
      ...['--lift', '3', '--moves', moves, '--meshes', sharedData(), '--json'],
    );
    expect(stderr).not.toContain('clmex:');
    const { n, perClass } = JSON.parse(stdout) as Evaluation;
    expect(n).toBe(6);
    expect(perClass['happiness']).toMatchObject({ n: 3, recall: 1 });
    expect(perClass['neutral']).toMatchObject({ n: 3 });
  });
});

describeWithData('shapes of the head on the landmark model’s mesh', () => {
  it('move its points as their names say, by centimetres seen straight on', async () => {
    const { rest, moves } = await readMeshShapes(sharedData());
    const at = (mesh: Float32Array, point: number, axis: number): number => mesh[3 * point + axis]!;
    const [rightCorner, leftCorner, brow, lid, chin, tip] = [61, 291, 105, 159, 152, 4];
    // The person's left is the picture's right, the forehead is up, the nose is near.
    expect(at(rest, leftCorner, 0)).toBeGreaterThan(at(rest, rightCorner, 0) + 4);
    expect(at(rest, brow, 1)).toBeLessThan(at(rest, chin, 1) - 8);
    expect(at(rest, tip, 2)).toBeLessThan(at(rest, chin, 2));
    expect(at(moves.get('mouthSmile_L')!, leftCorner, 0)).toBeGreaterThan(0.5);
    expect(at(moves.get('mouthSmile_L')!, leftCorner, 1)).toBeLessThan(-0.3);
    expect(Math.abs(at(moves.get('mouthSmile_L')!, rightCorner, 0))).toBeLessThan(0.1);
    expect(at(moves.get('browDown_R')!, brow, 1)).toBeGreaterThan(0.1);
    expect(at(moves.get('eyeBlink_R')!, lid, 1)).toBeGreaterThan(0.4);
    expect(at(moves.get('jawOpen')!, chin, 1)).toBeGreaterThan(1.5);
    expect(Math.abs(at(moves.get('jawOpen')!, brow, 1))).toBeLessThan(0.01);
  });
});
