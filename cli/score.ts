import type { Command } from 'commander';
import { ClmexError } from '../core/errors.js';
import {
  parseConfig, readConfig, readTruth, rigOf, score, summarizeFrames,
  type Config, type PipelineResult, type ScoreSummary,
} from '../runtime/index.js'; // prettier-ignore
import { notice, printLine, printResult, progress } from './output.js';
import { LineFile } from './line-file.js';
import { TruthReport, type TruthResult } from './score-truth.js';
import { ViewsReport, type ViewsResult } from './score-views.js';

interface Options {
  readonly config?: string;
  readonly out?: string;
  readonly timings: 'on' | 'off';
  readonly json: boolean;
}

/** `clmex score`: files to scores, offline; the same files give the same lines. */
export function register(program: Command): void {
  program
    .command('score')
    .description('Score a recording, or the files of a configuration, from beginning to end.')
    .argument('[recording]', 'an MCAP recording; every camera in it is used')
    .option('--config <file>', 'configuration (JSON) with video or recording sources')
    .option('--out <file>', 'write one JSON line a person and frame set here instead of stdout')
    .option(
      '--timings <on|off>',
      'off leaves the measured milliseconds out of the lines',
      onOrOff,
      'on',
    )
    .option(
      '--json',
      'print one JSON document: the summary, and the scores where there is no --out',
      false,
    )
    .action(run);
}

async function run(recording: string | undefined, options: Options): Promise<void> {
  const config = await configOf(recording, options.config);
  const truth = await truthOf(config);
  const views = new ViewsReport();
  const lines: ScoreLine[] = [];
  let sets = 0;
  const interrupt = new AbortController();
  const stop = (): void => interrupt.abort(new ClmexError('closed', 'interrupted'));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  let file: LineFile | undefined;
  try {
    if (options.out !== undefined) file = await LineFile.create(options.out);
    const summary = await score(config, {
      signal: interrupt.signal,
      onResult: async (result, model) => {
        truth?.push(result, model);
        views.push(result, model);
        for (const line of linesOf(result, options.timings)) {
          if (file !== undefined) await file.write(JSON.stringify(line));
          else if (options.json) lines.push(line);
          else printLine(JSON.stringify(line));
        }
        if (++sets % 20 === 0) progress(`${sets} frame sets`);
      },
    });
    await file?.close();
    report(options, { ...summary, views: views.result(), truth: truth?.result() }, lines);
  } catch (error) {
    await file?.discard();
    throw error;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

function report(
  { json, out, timings }: Options,
  { stagesMs, ...summary }: Summary,
  lines: readonly ScoreLine[],
): void {
  const document = { ...summary, ...(timings === 'on' && { stagesMs }) };
  if (json)
    printResult(true, { ...document, ...(out === undefined && { scores: lines }) }, () => '');
  else notice(JSON.stringify(document, null, 2));
  const failed = Object.entries(summary.cameras).filter(([, { failure }]) => failure !== undefined);
  for (const [id, { failure }] of failed) notice(`clmex: camera '${id}': ${failure!}`);
  if (failed.length > 0) process.exitCode = 1;
}

interface Summary extends ScoreSummary {
  readonly views: ViewsResult;
  /** Where the recording holds the truth. */
  readonly truth: TruthResult | undefined;
}

/** One person at one instant, as written. */
interface ScoreLine {
  readonly set: number;
  readonly atMs: number;
  readonly subjectId: string;
  readonly [field: string]: unknown;
}

function* linesOf(result: PipelineResult, timings: 'on' | 'off'): Generator<ScoreLine> {
  for (const { stageMs, ...line } of result.scores) {
    yield {
      set: result.index,
      spreadMs: result.spreadMs,
      missing: Object.fromEntries(result.missing),
      ...line,
      ...(timings === 'on' && { stageMs }),
    };
  }
}

async function configOf(recording: string | undefined, path: string | undefined): Promise<Config> {
  if ((recording === undefined) === (path === undefined)) {
    throw new ClmexError('invalid-argument', 'give a recording or a configuration', {
      field: 'recording',
      value: recording,
      allowed: 'either a recording or --config FILE',
    });
  }
  if (path !== undefined) return readConfig(path);
  if (recording!.endsWith('.json')) {
    throw new ClmexError('invalid-argument', 'not a recording', {
      field: 'recording',
      value: recording,
      allowed: 'an MCAP file; a configuration goes after --config',
    });
  }
  const { cameras } = await summarizeFrames(recording!);
  return parseConfig({
    cameras: cameras.map(({ id }) => ({ id, source: { kind: 'recording', path: recording } })),
  });
}

/** Where every camera plays the same recording and it holds the truth, scores are held against it. */
async function truthOf(config: Config): Promise<TruthReport | undefined> {
  const [path, ...others] = new Set(
    config.cameras.map(({ source }) => (source.kind === 'recording' ? source.path : undefined)),
  );
  if (path === undefined || others.length > 0) return undefined;
  const rig = (await rigOf(config)) ?? (await rigOf({ ...config, calibration: undefined }));
  const truth = await readTruth(path);
  return truth.length === 0 || rig === undefined ? undefined : new TruthReport(truth, rig);
}

function onOrOff(text: string): 'on' | 'off' {
  if (text === 'on' || text === 'off') return text;
  throw new ClmexError('invalid-argument', 'neither on nor off', {
    field: '--timings',
    value: text,
    allowed: 'on, off',
  });
}
