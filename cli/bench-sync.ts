import { basename } from 'node:path';
import type { Command } from 'commander';
import { ClmexError } from '../core/errors.js';
import type { RawFrame } from '../core/types.js';
import { readTimestamps } from '../runtime/camera/timestamps.js';
import { readArrivals, type RecordedTimes } from '../runtime/recording/index.js';
import type { SyncConfig } from '../runtime/sync/config.js';
import { median, type MatchReport } from '../runtime/sync/judge.js';
import {
  measureArrivals, measureFrames, measureScenario, type ArrivalReport, type ScenarioReport,
} from '../runtime/sync/measure.js'; // prettier-ignore
import { scenarioOf, scenarios } from '../runtime/sync/scenarios.js';
import type { SimulatedFrame } from '../runtime/sync/simulate.js';
import { integer, printResult, progress } from './output.js';

interface Options {
  readonly seed: number;
  readonly rates?: readonly string[];
  readonly freeRunning: boolean;
  readonly seconds: number;
  readonly recording: readonly string[];
  readonly timestamps: readonly string[];
  readonly knownDelays: boolean;
  readonly json: boolean;
}

/** `clmex bench sync`: frame sets and clocks on simulated streams, beside the usual approaches. */
export function register(bench: Command): void {
  bench
    .command('sync')
    .description('Measure clocks and frame sets on simulated cameras and on recordings.')
    .option('--seed <n>', 'seed of the simulator', integer('--seed', 0, 2 ** 31 - 1), 1)
    .option('--rates <hz...>', 'simulate cameras of these rates instead of the usual streams')
    .option('--free-running', 'with --rates: each camera at its own phase and crystal', false)
    .option('--seconds <n>', 'with --rates: simulated time', integer('--seconds', 10, 36_000), 600)
    .option('--recording <file...>', 'also measure these recordings', [])
    .option(
      '--known-delays',
      'tell the stage the least delay of each camera of a recording with truth',
      false,
    )
    .option('--timestamps <csv...>', 'also measure a rig given by its timestamps files', [])
    .option('--json', 'print one JSON document', false)
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { seed, freeRunning, seconds } = options;
  const wanted =
    options.rates === undefined
      ? scenarios(seed)
      : [scenarioOf({ rates: ratesOf(options.rates), freeRunning, seed, seconds })];
  const streams: ScenarioReport[] = [];
  for (const scenario of wanted) {
    progress(scenario.name);
    streams.push(measureScenario(scenario));
  }
  const recordings: Record<string, ArrivalReport | ScenarioReport> = {};
  for (const path of options.recording)
    recordings[path] = await measureRecording(path, options.knownDelays);
  const rig =
    options.timestamps.length > 0 ? await measureTimestamps(options.timestamps) : undefined;
  // The first scenario is the one the targets are stated for.
  const result = {
    ...streams[0]!,
    scenarios: streams,
    recordings,
    ...(rig !== undefined && { rig }),
  };
  printResult(options.json, result, () => tableOf(streams, { ...recordings, ...(rig && { rig }) }));
}

function ratesOf(texts: readonly string[]): number[] {
  const rates = texts.flatMap((text) => text.split(',')).map(Number);
  if (rates.every((rate) => rate >= 1 && rate <= 240) && rates.length <= 64) return rates;
  throw new ClmexError('invalid-argument', 'not frame rates', {
    field: '--rates',
    value: texts.join(' '),
    allowed: 'up to 64 numbers from 1 to 240',
  });
}

async function measureRecording(
  path: string,
  knownDelays: boolean,
): Promise<ArrivalReport | ScenarioReport> {
  const frames = await readArrivals(path);
  const cameraIds = [...new Set(frames.map(({ cameraId }) => cameraId))].sort();
  if (frames.length === 0) {
    throw new ClmexError('invalid-file', 'the recording has no frames', {
      field: 'recording',
      value: path,
    });
  }
  if (frames.some(({ trueCapturedAtMs }) => trueCapturedAtMs === undefined)) {
    return measureArrivals(frames.map(rawOf), cameraIds, {});
  }
  const known = frames.map((frame) => ({ ...frame, trueMs: frame.trueCapturedAtMs! }));
  const config = knownDelays ? { leastDelayMs: leastDelaysOf(known) } : {};
  return measureKnown(basename(path), known, cameraIds, config);
}

/** What nobody can see one-way: how long each camera's fastest frame was under way. */
function leastDelaysOf(frames: readonly SimulatedFrame[]): Record<string, number> {
  const least: Record<string, number> = {};
  for (const { cameraId, arrivedAtMs, trueMs } of frames)
    least[cameraId] = Math.min(least[cameraId] ?? Infinity, arrivedAtMs - trueMs);
  return least;
}

/** Stamps in files are taken for the truth. */
async function measureTimestamps(paths: readonly string[]): Promise<ScenarioReport> {
  const lists = await Promise.all(paths.map((path) => readTimestamps(path, '--timestamps')));
  const cameraIds = paths.map((path, i) => `${i} ${basename(path)}`);
  const frames = lists.flatMap((times, i) =>
    Array.from(times, (ms, sequence) => {
      const cameraId = cameraIds[i]!;
      return { cameraId, sequence, trueMs: ms, stampMs: ms, stampSource: 'file' as const, arrivedAtMs: ms };
    }),
  ); // prettier-ignore
  frames.sort((a, b) => a.arrivedAtMs - b.arrivedAtMs);
  return measureKnown('rig', frames, cameraIds);
}

function measureKnown(
  name: string,
  frames: readonly SimulatedFrame[],
  cameraIds: readonly string[],
  config: Partial<SyncConfig> = {},
): ScenarioReport {
  const periods = cameraIds.map((id) => {
    const times = frames.filter(({ cameraId }) => cameraId === id).map(({ trueMs }) => trueMs);
    return median(times.slice(1).map((ms, i) => ms - times[i]!));
  });
  return measureFrames(name, frames, config, { cameraIds, periodMs: Math.max(...periods) });
}

const NO_PIXELS = new Uint8Array(new SharedArrayBuffer(0));
const rawOf = (times: RecordedTimes): RawFrame => ({
  ...times,
  pixels: NO_PIXELS,
  close: () => undefined,
});

function tableOf(
  streams: readonly ScenarioReport[],
  files: Readonly<Record<string, ArrivalReport | ScenarioReport>>,
): string {
  const lines = [
    'stream / matcher      error p50  p95 ms   pair p50   complete  wrong pairs  in time  µs/frame  spread p95',
  ];
  const add = (name: string, report: ScenarioReport): void => {
    lines.push(`${name}: ${report.cameras} cameras, ${report.frames} frames`);
    lines.push(row('clmex', report));
    for (const [name, other] of Object.entries(report.baselines)) lines.push(row(name, other));
  };
  for (const stream of streams) add(stream.scenario, stream);
  for (const [name, report] of Object.entries(files)) {
    if ('baselines' in report) add(name, report);
    else {
      lines.push(`${name}: ${report.complete} of ${report.sets} sets complete`);
      lines.push(`  spread p50 ${ms(report.spreadMs.p50)}, p95 ${ms(report.spreadMs.p95)} ms`);
    }
  }
  return lines.join('\n');
}

const ms = (value: number): string =>
  Number.isNaN(value) ? '–' : value > 9999 ? '> 9999' : value.toFixed(2);
const share = (value: number): string =>
  Number.isNaN(value) ? '–' : `${(value * 100).toFixed(2)} %`;

function row(name: string, report: MatchReport): string {
  return [
    `  ${name}`.padEnd(20),
    ms(report.captureTimeErrorMs.p50).padStart(11),
    ms(report.captureTimeErrorMs.p95).padStart(8),
    ms(report.relativeOffsetErrorMs).padStart(10),
    share(report.completeShare).padStart(11),
    String(report.wrongPairs).padStart(12),
    share(report.withinMaxWaitShare).padStart(10),
    report.microsecondsPerFrame.toFixed(1).padStart(8),
    ms(report.spreadMs.p95).padStart(10),
  ].join(' ');
}
