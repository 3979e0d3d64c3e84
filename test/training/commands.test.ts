import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXPRESSION_LABELS } from '../../core/types.js';
import { loadModel } from '../../encoder/index.js';
import { loadCheckpoint } from '../../training/checkpoint.js';
import { writeShard, type Split } from '../../training/dataset/shard.js';
import type { Evaluation } from '../../training/evaluate.js';
import { Cli, runCli, type Finished } from '../support/cli.js';
import { toySet } from '../support/toy-set.js';

/** A rendered set as `clmex synth dataset` writes it, with pictures drawn here. */
async function writeToyRendered(directory: string, only?: Split): Promise<void> {
  const set = toySet({
    people: 8,
    labels: [...EXPRESSION_LABELS],
    captures: 7,
    views: 2,
    shapes: 3,
  });
  const splits: Split[] = [
    'train',
    'train',
    'train',
    'train',
    'validation',
    'validation',
    'test',
    'test',
  ];
  const all = Array.from({ length: set.size }, (_, i) => {
    const { personId, label, shapes, views } = set.read(i);
    const split = splits[Number(personId.slice(-1))]!;
    return {
      meta: {
        personId, split, label: EXPRESSION_LABELS[label]!, strength: 1, shapes: [...shapes!],
        views: views.map(({ yawDeg, pitchDeg, rollDeg, quality }) => ({ yawDeg, pitchDeg, rollDeg, quality, trueYawDeg: yawDeg })),
      },
      views: views.map(({ crop }) => ({ crop, landmarks: new Float32Array(468 * 3) })),
    };
  }); // prettier-ignore
  const captures = all.filter(({ meta }) => only === undefined || meta.split === only);
  const shard = {
    version: 1,
    seed: 1,
    shapeNames: ['a', 'b', 'c'],
    missedYawDeg: [],
    captures: captures.map(({ meta }) => meta),
  } as const;
  await writeShard(
    directory,
    0,
    { ...shard, shapeNames: [...shard.shapeNames], missedYawDeg: [] },
    captures.flatMap(({ views }) => views),
  );
}

describe('training from the command line', () => {
  let root: string;
  const at = (...parts: string[]): string => join(root, ...parts);
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'clmex-commands-'));
    await mkdir(at('set'));
    await writeToyRendered(at('tested'), 'test');
    await writeToyRendered(at('set'));
    await writeFile(
      at('recipe.json'),
      JSON.stringify({
        batch: { people: 2, captures: 2, views: 2 },
        validateEvery: 2,
        saveEvery: 2,
      }),
    );
  });
  afterAll(() => rm(root, { recursive: true }));

  const json = ({ code, stdout, stderr }: Finished): unknown => {
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout);
  };
  const train = (stage: string, out: string, ...more: string[]): Promise<Finished> =>
    runCli(
      'train',
      stage,
      '--data',
      at('set'),
      '--out',
      at(out),
      '--recipe',
      at('recipe.json'),
      '--json',
      ...more,
    );

  it(
    'pre-trains, finetunes, exports, and measures the manifest’s table again',
    { timeout: 180_000 },
    async () => {
      expect(json(await train('pretrain', 'pre', '--steps', '2'))).toMatchObject({
        steps: 2,
        groups: 28,
      });
      expect(
        json(await train('finetune', 'fine', '--steps', '4', '--from', at('pre'))),
      ).toMatchObject({ steps: 4 });
      expect(await readFile(at('fine', 'curves.svg'), 'utf8')).toContain('<polyline');
      const exportTo = (out: string, ...more: string[]) =>
        runCli('export', '--run', at('fine'), '--data', at('set'), '--out', at(out), '--json', ...more); // prettier-ignore
      const exported = await exportTo('model');
      const { table } = json(exported) as { table: Evaluation };
      const again = json(
        await runCli(
          'evaluate',
          '--model',
          at('model'),
          '--data',
          at('set'),
          '--split',
          'test',
          '--json',
        ),
      ) as Evaluation;
      expect(again.n).toBe(28);
      expect(again.confusion).toEqual(table.confusion);
      expect(again.ece).toBeCloseTo(table.ece, 3);
      expect(again.byViews['2']!.accuracy).toBeCloseTo(table.byViews['2']!.accuracy, 6);
      const probed = json(
        await runCli(
          'evaluate',
          '--model',
          at('model'),
          '--data',
          at('set'),
          '--split',
          'all',
          '--probe',
          '4',
          '--json',
        ),
      ) as Evaluation;
      expect(probed).toMatchObject({ n: 112, found: 112 });
      const two = json(await exportTo('two', '--beside', `${at('fine')}:3`));
      const { manifest, head } = await loadModel(at('two'));
      expect(two).toMatchObject({ table: { n: 28 } });
      expect(manifest.training).toMatchObject({ columnWeights: [1, 3] });
      expect(head.columns).toEqual([0.25, 0.75]);
      const { stderr } = await exportTo('two', '--beside', `${at('fine')}:-1`);
      expect(stderr).toContain('positive weight');
      await cp(at('model'), at('renamed'), { recursive: true });
      const described = await readFile(at('renamed', 'manifest.json'), 'utf8');
      await writeFile(at('renamed', 'manifest.json'), described.replace('"neutral"', '"calm"'));
      const renamed = await exportTo('two', '--beside', at('renamed'));
      expect(renamed.stderr).toMatch(/--beside: has learned other labels.*given: .*calm.*neutral/);
      const resumed = json(
        await train('finetune', 'fine', '--steps', '4', '--from', at('pre'), '--resume'),
      );
      expect(resumed).toMatchObject({ steps: 4 });
    },
  );

  it('takes the shipped weights on to people of one’s own, and makes a package of them', async () => {
    const [sample, shipped] = ['samples/recordings/two-people.mcap', 'models/clmex-small'];
    await writeFile(at('own.json'), JSON.stringify({ batch: { people: 1, captures: 2, views: 2 }, warmupSteps: 1 }));
    json(await runCli('train', 'finetune', '--data', sample, '--out', at('own'), '--from', shipped, '--recipe', at('own.json'), '--steps', '2', '--json'));
    const exported = await runCli('export', '--run', at('own'), '--data', sample, '--out', at('own-model'), '--blend', shipped, '--json');
    const { table } = json(exported) as { table: Evaluation };
    expect(table.n).toBeGreaterThan(100);
    const { manifest } = await loadModel(at('own-model'));
    expect(manifest.training).toMatchObject({ people: 1, pictures: 0, shareOfLastRun: 0.5, steps: 2 });
    // Measured on others, the package still says whom it learned from.
    json(await runCli('export', '--run', at('own'), '--data', at('set'), '--out', at('measured'), '--json'));
    const { groups, people } = (await loadModel(at('measured'))).manifest.training;
    expect({ groups, people }).toEqual({ groups: manifest.training['groups'], people: 1 });
    expect(manifest.temperatures.every((t) => t > 0)).toBe(true);
  }, 120_000); // prettier-ignore

  it('goes on after a kill, from the last checkpoint', { timeout: 120_000 }, async () => {
    const run = new Cli(['train', 'pretrain', '--data', at('set'), '--out', at('killed'), '--recipe', at('recipe.json'), '--steps', '12', '--json']); // prettier-ignore
    while (!existsSync(at('killed', 'checkpoint.bin'))) await setTimeout(20);
    run.process.kill('SIGKILL');
    await run.finished;
    const { step } = await loadCheckpoint(at('killed', 'checkpoint.bin'));
    expect(step % 2).toBe(0);
    expect(step).toBeLessThan(12);
    expect(json(await train('pretrain', 'killed', '--steps', '12', '--resume'))).toMatchObject({
      steps: 12,
    });
  });

  it('keeps a run that is there, unless told to overwrite it', async () => {
    const first = json(await train('pretrain', 'kept', '--steps', '2'));
    expect(first).toMatchObject({ steps: 2 });
    const again = await train('pretrain', 'kept', '--steps', '2');
    expect([again.code, again.stderr]).toEqual([2, expect.stringMatching(/--out: holds a run already.*--resume.*--overwrite/s)]);
    json(await train('pretrain', 'kept', '--steps', '2', '--overwrite'));
  }); // prettier-ignore

  it('ends with 130 where it is interrupted, and says how to go on', async () => {
    const run = new Cli(['train', 'pretrain', '--data', at('set'), '--out', at('stopped'), '--recipe', at('recipe.json'), '--steps', '500']); // prettier-ignore
    while (!existsSync(at('stopped', 'checkpoint.bin'))) await setTimeout(20);
    run.process.kill('SIGINT');
    const { code, stderr } = await run.finished;
    expect([code, stderr]).toEqual([130, expect.stringMatching(/--resume goes on/)]);
  });

  it('names the file that a full disk has no room for, and leaves none half written', async () => {
    // A limit on file size fails a write as a full disk does, at whatever byte it is reached.
    const shell = `ulimit -f 200; exec "${process.execPath}" dist/cli.js "$@"`;
    const args = ['train', 'pretrain', '--data', at('set'), '--out', at('full'), '--recipe', at('recipe.json'), '--steps', '2']; // prettier-ignore
    const { code, stderr } = await new Promise<{ code: number | null; stderr: string }>((done) => {
      const child = spawn('sh', ['-c', shell, 'sh', ...args], { stdio: ['ignore', 'ignore', 'pipe'] }); // prettier-ignore
      let text = '';
      child.stderr.on('data', (piece: Buffer) => (text += piece.toString()));
      child.on('close', (status) => done({ code: status, stderr: text }));
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/EFBIG|checkpoint/);
    expect(await readdir(at('full'))).toEqual(['log.jsonl']);
  });

  it.each([
    [
      'a recipe with a wrong field',
      ['train', 'pretrain', '--data', 'set', '--out', 'x', '--recipe', 'wrong.json'],
      /contrastive\.temperature/,
    ],
    [
      'a recipe of the other stage',
      ['train', 'pretrain', '--data', 'set', '--out', 'x', '--recipe', 'fine.json'],
      /stage: is of another stage \(given: "finetune"\)/,
    ],
    [
      'a folder that is neither a run nor a package',
      ['train', 'pretrain', '--data', 'set', '--out', 'x', '--from', 'set'],
      /--from: holds neither/,
    ],
    ['a missing rendered set', ['train', 'pretrain', '--data', 'nowhere', '--out', 'x'], /nowhere/],
    [
      'both sources of pictures',
      ['evaluate', '--manifest', 'a.csv', '--data', 'set'],
      /exactly one source/,
    ],
    [
      'more labels than there are',
      ['evaluate', '--data', 'set', '--probe', '2', '--label-shares', '10,500'],
      /--label-shares.*percentages above 0, up to 100/,
    ],
    ...['80', '20:50', '10:5:1', '10,', '10:', ':5', 'left'].map(
      (turn): [string, string[], RegExp] => [
        `a turn of ${turn}`,
        ['evaluate', '--data', 'set', '--turn', turn],
        /--turn.*yaws from -75 to 75, pitches from -45 to 45/,
      ],
    ),
    [
      'lifted faces without rendered people who move',
      ['evaluate', '--manifest', 'a.csv', '--lift', '2', '--moves', 'nowhere'],
      /--moves: is needed with --lift .given: .*nowhere.*Allowed: a rendered set/,
    ],
    [
      'shapes of a head that are not there, before any picture is opened',
      ['evaluate', '--manifest', 'a.csv', '--lift', '2', '--moves', 'set', '--meshes', 'nowhere'],
      /--meshes: cannot read a mesh .given: .*nowhere.*Allowed: .*ict-facekit/,
    ],
    [
      'movements of faces that are not lifted',
      ['evaluate', '--manifest', 'a.csv', '--moves', 'set'],
      /--moves: says how lifted faces look.*Allowed: together with --lift N/,
    ],
    [
      'glasses for faces that are not lifted',
      ['evaluate', '--manifest', 'a.csv', '--glasses', '50'],
      /--glasses: says how lifted faces look.*given: 50.*Allowed: together with --lift N/,
    ],
    [
      'glasses for faces that training does not lift',
      ['train', 'finetune', '--data', 'set', '--out', 'x', '--glasses', '50'],
      /--glasses: says how lifted faces look.*given: 50.*Allowed: together with --lift N/,
    ],
    [
      'faces lifted from no pictures',
      ['train', 'finetune', '--data', 'set', '--out', 'x', '--lift', '2'],
      /--lift: makes its faces of neutral pictures.*given: 2.*Allowed: 0, or together with --pictures/,
    ],
    [
      'more faces with glasses than there are',
      ['evaluate', '--manifest', 'a.csv', '--lift', '2', '--glasses', '101'],
      /glasses.*given: .*101.*Allowed: a whole number from 0 to 100/,
    ],
    [
      'rendered faces that should be lifted',
      ['evaluate', '--data', 'set', '--lift', '2', '--moves', 'set'],
      /--lift: lifts real faces.*given: 2.*Allowed: 0/,
    ],
    ['a probe of one fold', ['evaluate', '--data', 'set', '--probe', '1'], /whole number from 2/],
    [
      'an export of no run',
      ['export', '--run', 'none', '--data', 'set', '--out', 'x'],
      /--run: holds no run.*none/,
    ],
    [
      'a share of the work that nobody has',
      ['synth', 'dataset', '--out', 'x', '--workers', '2', '--part', '3'],
      /--part.*3.*Allowed: 0 to 2/,
    ],
    [
      'blendshapes that nothing could learn',
      [
        'train',
        'finetune',
        '--data',
        'set',
        '--out',
        'x',
        '--recipe',
        'flat.json',
        '--blendshapes',
        'none',
      ],
      /geometry: leaves nothing that could learn --blendshapes/,
    ],
    [
      'frontal views that nothing reads',
      ['train', 'pretrain', '--data', 'set', '--out', 'x', '--recipe', 'frontal.json'],
      /frontal: nothing reads.*10.*--blendshapes/,
    ],
    [
      'a blendshape model that is not there',
      ['train', 'finetune', '--data', 'set', '--out', 'x', '--blendshapes', 'none'],
      /--blendshapes.*landmark model.*none/,
    ],
    [
      'an evaluation of a split that nobody is of',
      ['evaluate', '--data', 'tested', '--split', 'train'],
      /nobody of the train split.*these are of test/,
    ],
    [
      'a manifest of pictures that are not there',
      ['evaluate', '--manifest', 'a.csv'],
      /--manifest: shows no face in any picture.*a\.csv.*Allowed: .*gone\.png/,
    ],
    [
      'meshes that are not there',
      ['synth', 'dataset', '--data', 'nowhere', '--out', 'x'],
      /cannot read a mesh.*Allowed: .*ict-facekit.*CLMEX_DATA/,
    ],
    [
      'training on people who only measure',
      ['train', 'pretrain', '--data', 'tested', '--out', 'x'],
      /nobody of the validation split/,
    ],
    [
      'going on with a set of another seed',
      ['synth', 'dataset', '--out', 'set', '--seed', '9', '--resume'],
      /--seed.*another seed.*Allowed: 1/,
    ],
  ])('says what is wrong with %s', async (_, args, message) => {
    await writeFile(at('wrong.json'), '{"contrastive":{"temperature":-1}}');
    await writeFile(at('flat.json'), '{"geometry":false}');
    await writeFile(at('frontal.json'), '{"frontal":10}');
    await writeFile(at('fine.json'), '{"stage":"finetune"}');
    await writeFile(at('a.csv'), 'path,label\ngone.png,neutral\n');
    const names = [
      'set',
      'tested',
      'x',
      'wrong.json',
      'fine.json',
      'flat.json',
      'frontal.json',
      'nowhere',
      'a.csv',
      'none',
    ];
    const { code, stdout, stderr } = await runCli(
      ...args.map((arg) => (names.includes(arg) ? at(arg) : arg)),
    );
    expect(code).not.toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(existsSync(at('x'))).toBe(false);
  });
});
