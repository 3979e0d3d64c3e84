import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { ClmexError } from '../core/errors.js';
import { planDataset, SHARD_CAPTURES, type PlannedShard } from '../training/dataset/plan.js';
import { ShardRenderer } from '../training/dataset/render.js';
import {
  parseShard,
  SHARD_INDEX,
  shardName,
  SPLITS,
  type Shard,
  type Split,
} from '../training/dataset/shard.js';
import { Studio } from '../training/scene/people.js';
import { printResult, progress } from './output.js';
import { dataFolder, wholeNumber } from './synth-options.js';
import { openMeasure } from './synth-measure.js';

interface Options {
  readonly out: string;
  readonly data?: string;
  readonly subjects: number;
  readonly captures: number;
  readonly views: number;
  readonly split: Split | 'all';
  readonly seed: number;
  readonly workers: number;
  readonly part: number;
  readonly resume: boolean;
  readonly json: boolean;
}

/** With so many each split has a shard. */
const ENOUGH_CAPTURES = 10 * SHARD_CAPTURES;

/** `clmex synth dataset`: captures of rendered people as the faces stage measures them. */
export function registerDataset(synth: Command): void {
  synth
    .command('dataset')
    .description('Render a training set: views of one moment, measured by the real face models.')
    .requiredOption('--out <dir>', 'folder for the shards')
    .option(
      '--data <dir>',
      'holds ict-facekit/, london/, makehuman-hair/ (default: $CLMEX_DATA, else ../shared/data)',
    )
    .option('--subjects <n>', 'rendered people over all splits', wholeNumber(3), 240)
    .option(
      '--captures <n>',
      'moments over all splits: 80 % train, 12 % validation, 8 % test',
      wholeNumber(1),
      800,
    )
    .option('--views <n>', 'views a moment, spread over −90 … 90°', wholeNumber(1), 5)
    .addOption(
      new Option('--split <name>', 'render people of this split alone: a set that only measures')
        .choices([...SPLITS, 'all'])
        .default('all'),
    )
    .option('--seed <n>', 'fixes everything random', wholeNumber(0), 1)
    .option('--workers <n>', 'processes', wholeNumber(1), 1)
    .option('--part <n>', 'of those, do only this one’s share (0: start all)', wholeNumber(0), 0)
    .option('--resume', 'keep the shards that are there', false)
    .option('--json', 'print one JSON document', false)
    .action(run);
}

async function run(options: Options): Promise<void> {
  if (options.part > options.workers) {
    throw new ClmexError('invalid-argument', 'there are not so many processes', {
      field: '--part',
      value: options.part,
      allowed: `0 to ${String(options.workers)}, as --workers says`,
    });
  }
  const there = new Set((await filesIn(options.out)).filter((name) => SHARD_INDEX.test(name)));
  if (there.size > 0 && !options.resume && options.part === 0) {
    throw new ClmexError('invalid-argument', 'the folder already holds shards', {
      field: '--out',
      value: options.out,
      allowed: 'an empty folder, or --resume',
    });
  }
  await requireSameSeed(options, there);
  if (options.workers > 1 && options.part === 0) {
    await Promise.all(Array.from({ length: options.workers }, (_, i) => part(i + 1)));
    printResult(options.json, { out: options.out }, () => `training set in ${options.out}`);
    return;
  }
  const counts = await render(options, there);
  printResult(
    options.json,
    { out: options.out, ...counts },
    () =>
      `${String(counts.captures)} captures, faces found in ${String(counts.found)} of ${String(counts.views)} views: ${options.out}`,
  );
}

/** None where the folder is still to be made, which the first shard does. */
async function filesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new ClmexError('invalid-argument', 'cannot be read as a folder', {
      field: '--out',
      value: folder,
      cause: error,
    });
  }
}

/** What is there must be of the set that goes on. */
async function requireSameSeed({ out, seed }: Options, there: ReadonlySet<string>): Promise<void> {
  const [first] = there;
  if (first === undefined) return;
  const path = join(out, first);
  const known = parseShard(await readFile(path, 'utf8'), path).seed;
  if (known === seed) return;
  throw new ClmexError('invalid-argument', 'the folder holds shards of another seed', {
    field: '--seed',
    value: seed,
    allowed: `${String(known)}, or another folder`,
  });
}

/** Shards of other people, moments or views beside those of this plan would go unnoticed ever after. */
async function requireSamePlan(
  out: string,
  there: ReadonlySet<string>,
  shards: readonly PlannedShard[],
  views: number,
): Promise<void> {
  const planned = new Map(shards.map((shard) => [`${shardName(shard.number)}.json`, shard]));
  for (const name of there) {
    const path = join(out, name);
    const field = differing(
      parseShard(await readFile(path, 'utf8'), path),
      planned.get(name),
      views,
    );
    if (field === undefined) continue;
    throw new ClmexError('invalid-argument', 'the folder holds shards of another set', {
      field,
      value: path,
      allowed: 'the --subjects, --captures and --views that it was begun with, or another folder',
    });
  }
}

/** The option by which a shard is not as planned. */
function differing(shard: Shard, planned: PlannedShard | undefined, views: number) {
  if (shard.captures.length !== planned?.captures.length) return '--captures';
  const same = planned.captures.every(({ portraitId, variant, label }, i) => {
    const { personId, label: shown } = shard.captures[i]!;
    return personId === `${portraitId}-${String(variant)}` && shown === label;
  });
  if (!same) return '--subjects';
  const found = shard.captures.reduce((sum, capture) => sum + capture.views.length, 0);
  return found + shard.missedYawDeg.length === views * shard.captures.length
    ? undefined
    : '--views';
}

/** Runs this very command once more for one share of the shards. */
async function part(number: number): Promise<void> {
  const args = [...process.argv.slice(1), '--resume', '--part', String(number)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const stop = (): void => void child.kill();
  process.once('exit', stop);
  const [code] = (await once(child, 'exit')) as [number | null];
  process.off('exit', stop);
  if (code !== 0) {
    throw new ClmexError('source-failed', 'a rendering process failed', {
      field: '--part',
      value: number,
    });
  }
}

async function render(
  { data, out, subjects, captures, views, split, seed, workers, part: mine }: Options,
  there: ReadonlySet<string>,
): Promise<{ captures: number; views: number; found: number }> {
  const studio = await Studio.open(dataFolder(data));
  const shards = planDataset({ subjects, captures, seed }, (of) => studio.portraits(of));
  await requireSamePlan(out, there, shards, views);
  const wanted = shards.filter((shard) => split === 'all' || shard.split === split);
  if (wanted.length === 0) {
    throw new ClmexError('invalid-argument', `too few for a shard of the ${split} split`, {
      field: '--captures',
      value: captures,
      allowed: `${String(ENOUGH_CAPTURES)} and more: they are counted over all splits`,
    });
  }
  const face = await openMeasure();
  const missing = (shard: PlannedShard): boolean => !there.has(`${shardName(shard.number)}.json`);
  const todo = wanted.filter(
    (shard, i) => (mine === 0 || i % workers === mine - 1) && missing(shard),
  );
  const renderer = new ShardRenderer(studio, face.measure);
  const counts = { captures: 0, views: 0, found: 0 };
  const startedMs = Date.now();
  try {
    for (const shard of todo) {
      const written = await renderer.write(out, shard, views, seed);
      counts.captures += shard.captures.length;
      counts.views += written.views;
      counts.found += written.found;
      const msAView = (Date.now() - startedMs) / counts.views;
      progress(
        `${shardName(shard.number)} (${shard.split}): ${String(counts.captures)} captures, ` +
          `${((counts.found / counts.views) * 100).toFixed(1)} % found, ${msAView.toFixed(0)} ms a view`,
      );
    }
  } finally {
    await face.close();
  }
  return counts;
}
