import { readFile } from 'node:fs/promises';
import { InvalidArgumentError, type Command } from 'commander';
import { ClmexError } from '../core/errors.js';
import {
  exportModel,
  networkOf,
  selectBackend,
  type Column,
  type Turn,
} from '../training/index.js';
import type { Network } from '../encoder/index.js';
import { notice, printResult, progress } from './output.js';
import { turns } from './synth-options.js';
import { openHeldOut } from './train-data.js';
import { openRun, openWeights } from './weights.js';

/** Views: some seconds each on a core. A multiple of what is embedded at once. */
const PROGRESS_EVERY = 2048;

/** A further network of the package. */
interface Beside {
  readonly directory: string;
  readonly weight: number;
}

interface Options {
  readonly run: string;
  readonly data: string;
  readonly out: string;
  readonly root: string;
  readonly turn?: Turn[];
  readonly cache?: string;
  readonly name: string;
  readonly provenance?: string;
  readonly blend?: string;
  readonly share: number;
  readonly geometryShare?: number;
  readonly beside?: Beside[];
  readonly json: boolean;
}

/** `clmex export`: a finetuned run as a model package. */
export function register(program: Command): void {
  program
    .command('export')
    .description('Write a finetuned run as a model package: calibrated, measured, hashed.')
    .requiredOption('--run <dir>', 'holds the checkpoint of clmex train finetune')
    .requiredOption(
      '--data <dir>',
      'people whom the run left out: a rendered set’s validation people calibrate, its test people measure; of any other source those whom training left out do both, by halves',
    )
    .requiredOption('--out <dir>', 'the package; an older one there is replaced')
    .option('--root <dir>', 'where the paths of a manifest start', '.')
    .option('--turn <degrees>', 'as in training', turns)
    .option('--cache <dir>', 'keeps the faces found in pictures')
    .option('--name <name>', 'what the manifest calls it', 'clmex-small')
    .option('--provenance <file>', 'JSON that the manifest repeats under `training`')
    .option(
      '--blend <dir>',
      'average the weights with those of another run or model package, as the one this went on from',
    )
    .option('--share <x>', 'of --run’s weights in that average', share, 0.5)
    .option(
      '--geometry-share <x>',
      'of landmarks in an embedding, where it is not to be the recipe’s',
      share,
    )
    .option(
      '--beside <dir[:weight]>',
      'a run or model package whose network joins the package as a column of its own, with this weight in the score beside --run’s, which is 1; can be given several times',
      beside,
    )
    .option('--json', 'print one JSON document', false)
    .action(run);
}

function share(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1))
    throw new InvalidArgumentError('A number between 0 and 1 is needed.');
  return value;
}

function beside(text: string, others: Beside[] = []): Beside[] {
  const [, directory = text, given] = /^(.*):([^:\\/]*)$/.exec(text) ?? [];
  const weight = given === undefined ? 1 : Number(given);
  if (!(weight > 0 && weight < Infinity))
    throw new InvalidArgumentError('A positive weight is needed behind the colon.');
  return [...others, { directory, weight }];
}

async function networkIn(
  option: string,
  directory: string,
  expected: readonly string[],
): Promise<Network> {
  const weights = await openWeights(option, directory);
  const [network, labels] =
    'graph' in weights ? [weights, weights.manifest.labels] : [networkOf(weights), weights.labels];
  // Nothing in a network says what its prototypes stand for.
  if (labels.join() !== expected.join()) {
    throw new ClmexError('invalid-argument', 'has learned other labels than the run', {
      field: option,
      value: labels.join(', '),
      allowed: expected.join(', '),
    });
  }
  return network;
}

async function run(options: Options): Promise<void> {
  const checkpoint = await openRun(options.run);
  if (checkpoint.recipe.stage !== 'finetune') {
    throw new ClmexError('invalid-argument', 'the run has learned no labels yet', {
      field: '--run',
      value: options.run,
      allowed: 'a run of clmex train finetune',
    });
  }
  const other =
    options.blend === undefined
      ? undefined
      : await networkIn('--blend', options.blend, checkpoint.labels);
  const columns: Column[] = [];
  for (const { directory, weight } of options.beside ?? [])
    columns.push({ network: await networkIn('--beside', directory, checkpoint.labels), weight });
  await selectBackend('wasm');
  const { set, validation, test, rendered } = await openHeldOut(options, checkpoint.recipe);
  const table = await exportModel({
    checkpoint,
    set,
    validation,
    test,
    name: options.name,
    directory: options.out,
    blend: other && { other, share: options.share },
    geometryShare: options.geometryShare,
    beside: columns,
    provenance: {
      ...checkpoint.learned,
      ...(options.blend === undefined ? {} : { shareOfLastRun: options.share }),
      ...(columns.length > 0 && { columnWeights: [1, ...columns.map(({ weight }) => weight)] }),
      ...(await readProvenance(options.provenance)),
    },
    tableCommand: rendered
      ? 'clmex evaluate --model MODEL --data RENDERED --split test --json'
      : 'clmex export, over half of the people whom training left out',
    onEmbedded: (views, of) => {
      if (views % PROGRESS_EVERY === 0 || views === of)
        progress(`embedded ${views} of ${of} views`);
    },
  });
  // Weights that are new make older int8 forms wrong: the package has none until it is quantised.
  const faces = rendered ? `--data ${options.data}` : '--config RIG';
  const next = `clmex quantise --model ${options.out} ${faces}`;
  notice(`without int8 forms; ${next} adds them`);
  printResult(options.json, { out: options.out, table, int8: { forms: [], next } }, () => {
    const fused = Object.entries(table.byViews).map(
      ([n, row]) => `${n}: ${row.balancedAccuracy.toFixed(3)}`,
    );
    return `${options.out}: single view ${table.balancedAccuracy.toFixed(3)} balanced, fused by number of views ${fused.join('  ')}`;
  });
}

async function readProvenance(file: string | undefined): Promise<Record<string, unknown>> {
  if (file === undefined) return {};
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  } catch (cause) {
    throw new ClmexError('invalid-config', 'cannot be read as JSON', {
      field: '--provenance',
      value: file,
      cause,
    });
  }
}
