import { existsSync } from 'node:fs';
import { mkdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { ClmexError } from '../core/errors.js';
import { BACKENDS } from '../encoder/backend/backend.js';
import { TRAINING_PROVIDERS } from '../encoder/backend/onnxruntime.js';
import {
  parseRecipe, selectBackend, train, writeCurves,
  type LogEntry, type Recipe, type Turn,
} from '../training/index.js'; // prettier-ignore
import { glassesOption, MESHES_OPTION } from './mesh-shapes.js';
import { printResult, progress } from './output.js';
import { GLASSES_PERCENT, openTrainingData } from './train-data.js';
import { turns, wholeNumber } from './synth-options.js';
import { openWeights } from './weights.js';

interface Options {
  readonly data: string;
  readonly out: string;
  readonly recipe?: string;
  readonly from?: string;
  readonly resume: boolean;
  readonly overwrite: boolean;
  readonly steps?: number;
  readonly seed?: number;
  readonly backend?: string;
  readonly provider?: string;
  readonly workers?: number;
  readonly pictures?: string;
  readonly root: string;
  readonly lift: number;
  readonly meshes?: string;
  readonly glasses?: number;
  readonly turn?: Turn[];
  readonly cache?: string;
  readonly blendshapes?: string;
  readonly json: boolean;
}

/** `clmex train pretrain|finetune`: learns the encoder from rendered or real people. */
export function register(program: Command): void {
  const command = program.command('train').description('Train the encoder.');
  const stages = {
    pretrain: 'Contrastive pre-training: views of one moment come together.',
    finetune: 'Labels: prototypes and fusion over views, the encoder goes on learning.',
  } as const;
  for (const [stage, description] of Object.entries(stages)) {
    command
      .command(stage)
      .description(description)
      .requiredOption(
        '--data <path>',
        'a rendered set (clmex synth dataset) or a folder of several, KDEF, DDCF, folders label/[subject/[group/]]view, a manifest .csv, or a recording with truth .mcap',
      )
      .requiredOption('--out <dir>', 'checkpoint.bin, log.jsonl and curves.svg go here')
      .option('--recipe <file>', 'JSON; what it leaves out has defaults')
      .option(
        '--from <dir>',
        'start from this run, or from a model package such as models/clmex-small',
      )
      .option('--resume', 'go on with the run in --out', false)
      .option('--overwrite', 'start anew where --out holds a run', false)
      .option('--steps <n>', 'instead of the recipe’s', wholeNumber(1))
      .option('--seed <n>', 'instead of the recipe’s', wholeNumber(0))
      .option('--backend <name>', `${BACKENDS.join(', ')}, instead of the recipe’s`)
      .option(
        '--provider <name>',
        `${TRAINING_PROVIDERS.join(' or ')}: where onnxruntime runs the encoder, instead of the recipe’s`,
      )
      .option(
        '--workers <n>',
        'threads on onnxruntime, processes that share each batch on wasm and cpu, instead of the recipe’s',
        wholeNumber(1),
      )
      .option(
        '--pictures <path>',
        'real pictures beside them, of any of these kinds; in pre-training those with several views',
      )
      .option('--root <dir>', 'where the paths of a manifest start', '.')
      .option(
        '--lift <n>',
        'makes n pictures of each expression from each neutral one of --pictures, of those that it has too, so that being made tells no label; needs a rendered set',
        wholeNumber(0),
        0,
      )
      .option(...MESHES_OPTION)
      .addOption(glassesOption(GLASSES_PERCENT))
      .option(
        '--turn <degrees>',
        'turns single pictures, with --lift the lifted ones, into groups of several views, by yaw or yaw:pitch: -40,-20:15,20:-15,40',
        turns,
      )
      .option(
        '--blendshapes <task>',
        'MediaPipe’s face_landmarker.task: the landmark stream also learns what its blendshape model reads',
      )
      .option('--cache <dir>', 'keeps the faces found in pictures')
      .option('--json', 'print one JSON document', false)
      .action((options: Options) => run(stage as Recipe['stage'], options));
  }
}

async function run(stage: Recipe['stage'], options: Options): Promise<void> {
  const given = await readRecipe(options.recipe);
  requireStage(given['stage'], stage);
  const recipe = parseRecipe({
    ...given,
    stage,
    ...(options.steps !== undefined && { steps: options.steps }),
    ...(options.seed !== undefined && { seed: options.seed }),
    ...(options.backend !== undefined && { backend: options.backend }),
    ...(options.provider !== undefined && { provider: options.provider }),
    ...(options.workers !== undefined && { workers: options.workers }),
  });
  const made = await requirePlace(options);
  const { from, data } = await openAll(options, recipe).catch(async (error: unknown) => {
    // Nothing was begun: what was made for it goes.
    if (made) await rmdir(options.out).catch(() => undefined);
    throw error;
  });
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const onProgress = (entry: LogEntry, secondsLeft: number): void =>
      progress(describe(entry, recipe, secondsLeft));
    const { step } = await train({
      recipe,
      data,
      directory: options.out,
      resume: options.resume,
      from,
      onProgress,
      signal: stop.signal,
    });
    await writeCurves(options.out);
    const result = {
      stage,
      steps: step,
      of: recipe.steps,
      groups: data.train.length,
      out: options.out,
    };
    printResult(
      options.json,
      result,
      () => `${stage}: ${step} of ${recipe.steps} steps, checkpoint in ${options.out}`,
    );
    if (stop.signal.aborted) {
      progress('stopped; --resume goes on');
      process.exitCode = INTERRUPTED;
    }
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

async function openAll(options: Options, recipe: Recipe) {
  await selectBackend(recipe.backend);
  const from = options.from === undefined ? undefined : await openWeights('--from', options.from);
  return { from, data: await openTrainingData(options, recipe) };
}

/** What shells say of a program that Ctrl-C ended. */
const INTERRUPTED = 130;

function requireStage(given: unknown, stage: Recipe['stage']): void {
  if (given === undefined || given === stage) return;
  throw new ClmexError('invalid-config', 'is of another stage', {
    field: '--recipe: stage',
    value: given,
    allowed: `${stage}, or none: the command says it`,
  });
}

/**
 * Before hours of work: a folder that can be written, and no run in it that would be lost.
 * @returns whether the folder is new.
 */
async function requirePlace({ out, resume, overwrite }: Options): Promise<boolean> {
  const made = await mkdir(out, { recursive: true }).catch((cause: unknown) => {
    throw new ClmexError('invalid-argument', 'cannot be made a folder', {
      field: '--out',
      value: out,
      cause,
    });
  });
  if (resume || overwrite || !existsSync(join(out, 'checkpoint.bin'))) return made !== undefined;
  throw new ClmexError('invalid-argument', 'holds a run already', {
    field: '--out',
    value: out,
    allowed: 'another folder, --resume to go on with it, or --overwrite',
  });
}

async function readRecipe(file: string | undefined): Promise<Record<string, unknown>> {
  if (file === undefined) return {};
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  } catch (cause) {
    throw new ClmexError('invalid-config', 'cannot be read as JSON', {
      field: '--recipe',
      value: file,
      cause,
    });
  }
}

function describe(
  { step, terms, imagesPerSecond, validation }: LogEntry,
  recipe: Recipe,
  secondsLeft: number,
): string {
  const list = (values: Readonly<Record<string, number>>): string =>
    Object.entries(values)
      .map(([name, value]) => `${name} ${value.toFixed(3)}`)
      .join('  ');
  const left =
    secondsLeft < 90 ? `${Math.ceil(secondsLeft)} s` : `${Math.ceil(secondsLeft / 60)} min`;
  return `step ${step}/${recipe.steps}  ${list(terms)}  | validation ${list(validation ?? {})}  | ${imagesPerSecond.toFixed(0)} images/s  ${left} left`;
}
