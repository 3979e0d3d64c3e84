import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { Option } from 'commander';
import { ClmexError } from '../core/errors.js';
import { loadModel, type Model } from '../encoder/index.js';
import { LocalInference } from '../runtime/inference/local.js';
import { DEFAULT_MODEL } from '../runtime/index.js';
import {
  evaluate, probeGroups, statisticsOf, trainingStatistics, withStatistics,
  type EvaluatedGroup, type Evaluation, type FoldProtocol,
} from '../training/index.js'; // prettier-ignore
import { EvaluationData, type DataOptions } from './evaluate-data.js';
import { writeMap } from './evaluate-map.js';
import { glassesOption, MESHES_OPTION } from './mesh-shapes.js';
import { printResult } from './output.js';
import { counts, percentages, turns, wholeNumber } from './synth-options.js';

interface Options extends DataOptions {
  readonly model: string;
  readonly probe?: number;
  readonly protocol: FoldProtocol;
  readonly shots?: number[];
  readonly labelShares?: number[];
  readonly draws: number;
  readonly prior?: string;
  readonly adapt?: 'statistics';
  readonly map?: string;
  readonly json: boolean;
}

/** `clmex evaluate`: a model package, or a probe on its embeddings, against labelled pictures. */
export function register(program: Command): void {
  program
    .command('evaluate')
    .description(
      'Score labelled pictures, a rendered set or a folder, and compare with the labels.',
    )
    .option('--model <dir>', 'model package', DEFAULT_MODEL)
    .option('--manifest <csv>', 'columns path,label[,subject,group,yaw]; paths below --root')
    .option('--root <dir>', 'where the manifest’s paths start', '.')
    .option(
      '--data <path>',
      'a rendered set or a folder of several, KDEF, DDCF, folders label/[subject/[group/]]view, or a recording with truth .mcap',
    )
    .addOption(
      new Option('--split <name>', 'of a rendered set')
        .choices(['train', 'validation', 'test', 'all'])
        .default('test'),
    )
    .option(
      '--lift <n>',
      'score n pictures of each expression made from each neutral one instead; needs --moves',
      wholeNumber(0),
      0,
    )
    .option('--moves <path>', 'a rendered set, whose people (of --split) move as --lift does')
    .option(...MESHES_OPTION)
    .addOption(glassesOption(0))
    .option(
      '--probe <k>',
      'fit a linear probe on frozen embeddings over k folds instead of the model’s head',
      wholeNumber(2),
    )
    .addOption(
      new Option('--protocol <name>', 'how the probe’s folds are made')
        .choices(['subject-disjoint', 'leaky-random-images'])
        .default('subject-disjoint'),
    )
    .option(
      '--shots <n,…>',
      'with --probe: also heads that see n labels a class: 5,10,20,50',
      counts,
    )
    .option(
      '--label-shares <percent,…>',
      'with --probe: also heads that see part of the labels: 1,5,10,25,50,100',
      percentages,
    )
    .option('--draws <n>', 'of folds and labels for --shots and --label-shares', wholeNumber(1), 5)
    .option(
      '--prior <json>',
      'file with the share of each label at the site: { "neutral": 0.6, … }',
    )
    .addOption(
      new Option('--adapt <what>', 'fit to the site without its labels').choices(['statistics']),
    )
    .option(
      '--turn <degrees>',
      'turns single pictures into groups of several views, by yaw or yaw:pitch: -40,-20:15,20:-15,40',
      turns,
    )
    .option('--cache <dir>', 'keeps crops and poses of pictures, so that faces are found once')
    .option('--map <svg>', 'draws the embeddings as a map: by label, person and yaw')
    .option('--seed <n>', 'fixes folds, subsets of views and the map', wholeNumber(0), 1)
    .option('--json', 'print one JSON document', false)
    .action(run);
}

async function run(options: Options): Promise<void> {
  if ((options.manifest === undefined) === (options.data === undefined)) {
    throw new ClmexError('invalid-argument', 'exactly one source of pictures is needed', {
      field: '--manifest, --data',
      allowed: '--manifest FILE.csv --root DIR, or --data DIR',
    });
  }
  const model = await loadModel(options.model);
  const faces = { detector: 'auto', maxFaces: 1 } as const;
  const inference = await LocalInference.load({
    engine: { kind: 'onnxruntime', threads: 1 },
    model: options.model,
    faces,
  });
  try {
    const data = new EvaluationData(inference, model.manifest.labels);
    const groups = await data.open(options);
    const result = await evaluateAs(model, groups, options);
    if (options.map) await writeMap(options.map, groups, model.manifest.labels, options.seed);
    printResult(options.json, { ...result, skipped: data.skipped, notes: data.notes }, () =>
      describe(result),
    );
  } finally {
    await inference.close();
  }
}

async function evaluateAs(
  model: Model,
  groups: EvaluatedGroup[],
  options: Options,
): Promise<Evaluation> {
  const { labels } = model.manifest;
  if (options.probe !== undefined) {
    return probeGroups(labels, groups, {
      folds: options.probe,
      protocol: options.protocol,
      seed: options.seed,
      limits: { shots: options.shots, shares: options.labelShares, draws: options.draws },
    });
  }
  if (options.shots ?? options.labelShares) {
    throw new ClmexError('invalid-argument', 'says how many labels a probe sees', {
      field: options.shots ? '--shots' : '--label-shares',
      allowed: 'together with --probe K',
    });
  }
  let used = model;
  if (options.adapt === 'statistics') {
    const seen = groups.flatMap(({ views }) =>
      views.flatMap(({ embedding }) => (embedding ? [embedding] : [])),
    );
    used = withStatistics(used, statisticsOf(seen), trainingStatistics(model));
  }
  const prior = options.prior === undefined ? undefined : await readPrior(options.prior, labels);
  return evaluate(used, groups, { prior, seed: options.seed });
}

async function readPrior(file: string, labels: readonly string[]): Promise<number[]> {
  let shares: Record<string, unknown>;
  try {
    shares = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  } catch (cause) {
    throw new ClmexError('invalid-config', 'cannot be read as JSON', {
      field: '--prior',
      value: file,
      cause,
    });
  }
  return labels.map((label) => {
    const share = shares[label];
    if (typeof share === 'number' && share > 0) return share;
    throw new ClmexError('invalid-config', 'needs a positive share of every label', {
      field: `prior.${label}`,
      value: share,
      allowed: `a number above 0 for each of ${labels.join(', ')}; they sum to 1`,
    });
  });
}

function describe(result: Evaluation): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const classes = Object.entries(result.perClass).map(
    ([label, { n, recall }]) =>
      `  ${label.padEnd(10)} ${String(n).padStart(6)}  recall ${percent(recall)}`,
  );
  const views = Object.entries(result.byViews).map(
    ([count, { n, balancedAccuracy, ece }]) =>
      `  ${count} views: ${n} groups, balanced ${percent(balancedAccuracy)}, calibration error ${ece.toFixed(3)}`,
  );
  return [
    `${result.n} pictures, a face in ${result.found}: accuracy ${percent(result.accuracy)}, balanced ${percent(result.balancedAccuracy)}, calibration error ${result.ece.toFixed(3)}`,
    ...classes,
    ...views,
  ].join('\n');
}
