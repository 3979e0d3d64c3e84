import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { ClmexError } from '../core/errors.js';
import { EXPRESSION_LABELS } from '../core/types.js';
import {
  exportModel,
  loadCheckpoint,
  networkOf,
  openRendered,
  renderedGroups,
  selectBackend,
} from '../training/index.js';
import type { Network } from '../encoder/index.js';
import { printResult, progress } from './output.js';
import { openWeights } from './weights.js';

interface Options {
  readonly run: string;
  readonly data: string;
  readonly out: string;
  readonly name: string;
  readonly provenance?: string;
  readonly blend?: string;
  readonly share: number;
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
      'rendered set: its validation people calibrate, its test people measure',
    )
    .requiredOption('--out <dir>', 'the package; an older one there is replaced')
    .option('--name <name>', 'what the manifest calls it', 'clmex-small')
    .option('--provenance <file>', 'JSON that the manifest repeats under `training`')
    .option(
      '--blend <dir>',
      'average the weights with those of another run or model package, as the one this went on from',
    )
    .option('--share <x>', 'of --run’s weights in that average', share, 0.5)
    .option('--json', 'print one JSON document', false)
    .action(run);
}

function share(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1))
    throw new InvalidArgumentError('A number between 0 and 1 is needed.');
  return value;
}

async function otherOf(directory: string): Promise<Network> {
  const weights = await openWeights('--blend', directory);
  return 'graph' in weights ? weights : networkOf(weights);
}

async function run(options: Options): Promise<void> {
  const checkpoint = await loadCheckpoint(join(options.run, 'checkpoint.bin'));
  const other = options.blend === undefined ? undefined : await otherOf(options.blend);
  if (checkpoint.recipe.stage !== 'finetune') {
    throw new ClmexError('invalid-argument', 'the run has learned no labels yet', {
      field: '--run',
      value: options.run,
      allowed: 'a run of clmex train finetune',
    });
  }
  await selectBackend('wasm');
  const rendered = await openRendered(options.data);
  const table = await exportModel({
    checkpoint,
    set: renderedGroups(rendered, EXPRESSION_LABELS),
    validation: rendered.indices('validation'),
    test: rendered.indices('test'),
    name: options.name,
    directory: options.out,
    blend: other && { other, share: options.share },
    provenance: {
      data: 'rendered',
      groups: rendered.indices('train').length,
      people: rendered.people('train').length,
      ...(options.blend === undefined ? {} : { shareOfLastRun: options.share }),
      ...(await readProvenance(options.provenance)),
    },
    tableCommand: 'clmex evaluate --model MODEL --data RENDERED --split test --json',
  });
  // Weights that are new make older int8 forms wrong: the package has none until it is quantised.
  const next = `clmex quantise --model ${options.out} --data ${options.data}`;
  progress(`without int8 forms; ${next} adds them`);
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
