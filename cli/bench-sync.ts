import { basename } from 'node:path';
import type { Command } from 'commander';
import { ClmexError } from '../core/errors.js';
import type { RawFrame } from '../core/types.js';
import { readTimestamps } from '../runtime/camera/timestamps.js';
import { readArrivals, type RecordedTimes } from '../runtime/recording/index.js';
import type { MatchReport } from '../runtime/sync/judge.js';
import {
  measureArrivals, measureFrames, measureScenario, type ArrivalReport, type ScenarioReport,
} from '../runtime/sync/measure.js'; // prettier-ignore
import { scenarios } from '../runtime/sync/scenarios.js';
import { integer, printResult, progress } from './output.js';

interface Options {
  readonly seed: number;
  readonly recording: readonly string[];
  readonly timestamps: readonly string[];
  readonly json: boolean;
}

/** `clmex bench sync`: frame sets and clocks on simulated streams, beside the usual approaches. */
export function register(bench: Command): void {
  bench
    .command('sync')
    .description('Measure clocks and frame sets on simulated cameras and on recordings.')
    .option('--seed <n>', 'seed of the simulator', integer('--seed', 0, 2 ** 31 - 1), 1)
    .option('--recording <file...>', 'also measure these recordings', [])
    .option('--timestamps <csv...>', 'also measure a rig given by its timestamps files', [])
    .option('--json', 'print one JSON document', false)
    .action(run);
}

async function run(options: Options): Promise<void> {
  const streams: ScenarioReport[] = [];
  for (const scenario of scenarios(options.seed)) {
    progress(scenario.name);
    streams.push(measureScenario(scenario));
  }
  const recordings: Record<string, ArrivalReport | ScenarioReport> = {};
  for (const path of options.recording) recordings[path] = await measureRecording(path);
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

async function measureRecording(path: string): Promise<ArrivalReport | ScenarioReport> {
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
  const own = known.filter(({ cameraId }) => cameraId === cameraIds[0]);
  const periodMs = (own.at(-1)!.trueMs - own[0]!.trueMs) / Math.max(1, own.length - 1);
  return measureFrames(basename(path), known, {}, { cameraIds, periodMs, freeRunning: true });
}

async function measureTimestamps(paths: readonly string[]): Promise<ArrivalReport> {
  const lists = await Promise.all(paths.map((path) => readTimestamps(path, '--timestamps')));
  const frames = lists.flatMap((times, i) =>
    Array.from(times, (ms, sequence) => ({
      cameraId: `${i} ${basename(paths[i]!)}`,
      sequence,
      stampMs: ms,
      stampSource: 'file' as const,
      arrivedAtMs: ms,
      width: 1,
      height: 1,
    })),
  );
  frames.sort((a, b) => a.arrivedAtMs - b.arrivedAtMs);
  return measureArrivals(
    frames.map(rawOf),
    [...new Set(frames.map(({ cameraId }) => cameraId))].sort(),
    {},
  );
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
    'stream / matcher      error p50  p95 ms   pair p50   complete  wrong pairs  in time  µs/frame',
  ];
  for (const stream of streams) {
    lines.push(`${stream.scenario}: ${stream.cameras} cameras, ${stream.frames} frames`);
    lines.push(row('clmex', stream));
    for (const [name, report] of Object.entries(stream.baselines)) lines.push(row(name, report));
  }
  for (const [name, report] of Object.entries(files)) {
    lines.push(`${name}: ${report.complete} of ${report.sets} sets complete`);
    if ('baselines' in report) lines.push(row('clmex', report));
    else lines.push(`  spread p50 ${ms(report.spreadMs.p50)}, p95 ${ms(report.spreadMs.p95)} ms`);
  }
  return lines.join('\n');
}

const ms = (value: number): string => (value > 9999 ? '> 9999' : value.toFixed(2));
const share = (value: number): string => `${(value * 100).toFixed(2)} %`;

function row(name: string, report: MatchReport): string {
  return [
    `  ${name}`.padEnd(20),
    ms(report.captureTimeErrorMs.p50).padStart(11),
    ms(report.captureTimeErrorMs.p95).padStart(8),
    ms(report.relativeOffsetErrorMs.p50).padStart(10),
    share(report.completeShare).padStart(11),
    String(report.wrongPairs).padStart(12),
    share(report.withinMaxWaitShare).padStart(10),
    report.microsecondsPerFrame.toFixed(1).padStart(8),
  ].join(' ');
}
