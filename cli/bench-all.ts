import { spawn } from 'node:child_process';
import type { Command } from 'commander';
import { ClmexError } from '../core/errors.js';
import { environment, SAMPLE_CONFIG } from './bench-environment.js';
import { requireReportPlace, writeReport } from './bench-html.js';
import { integer, notice, printResult, progress } from './output.js';

interface Options {
  readonly config: string;
  readonly seconds: number;
  readonly task?: string;
  readonly report?: string;
  readonly json: boolean;
}

type Result = Readonly<Record<string, unknown>>;

/** What a reader wants first: where it stands in the reports, and its unit. */
const HEADLINES: readonly (readonly [benchmark: string, path: string, name: string, unit: string])[] = [
  ['encoder', 'int8OverFp32', 'encoder, int8 over fp32, one thread', '×'],
  ['encoder', 'int8MsPerView', 'encoder, int8, a view', 'ms'],
  ['encoder', 'embeddingCosine', 'int8 embeddings, mean cosine with fp32', ''],
  ['encoder', 'topLabelAgreement', 'views with the same label in int8', ''],
  ['encoder', 'shareOfInt8Peak', 'encoder, share of the int8 peak', ''],
  ['encoder', 'base.int8OverFp32', 'base encoder, int8 over fp32', '×'],
  ['encoder', 'base.shareOfInt8Peak', 'base encoder, share of the int8 peak', ''],
  ['encoder', 'tfliteTopLabelAgreement', 'views with the same label, TFLite and ONNX int8', ''],
  ['views', 'pipelineOverHuman', 'four views of one person to a fused score, over human 3.3.6', '×'],
  ['views', 'pipelineOverTasksVision', 'the same, over FaceLandmarker of tasks-vision 1.1.0', '×'],
  ['views', 'msPerFurtherView', 'each further view, pixels to scores', 'ms'],
  ['views', 'linearity', 'share of that cost a line through it explains', ''],
  ['views', 'captureCpuMsPerCamera', 'each further camera, file to frame set, CPU', 'ms'],
  ['views', 'captureLinearity', 'share of that cost a line through it explains', ''],
  ['latency', 'framesPerSecond', 'live: frames of all cameras a second', ''],
  ['latency', 'droppedFraction', 'live: share of frames dropped', ''],
  ['latency', 'captureToScoreMs.p50', 'live: capture to score, median', 'ms'],
  ['latency', 'captureToScoreMs.p95', 'live: capture to score, p95', 'ms'],
  ['latency', 'captureToScoreMs.p99', 'live: capture to score, p99', 'ms'],
  ['latency', 'captureToScoreMs.max', 'live: capture to score, max', 'ms'],
  ['latency', 'driftMsPerMinute', 'live: drift of the median', 'ms a minute'],
  ['latency', 'eventLoopDelayMs.p99', 'live: event loop delay, p99', 'ms'],
  ['latency', 'cpuCoresPerCamera', 'live: CPU a camera', 'cores'],
  ['latency', 'memoryMiBPerCamera', 'live: memory a camera', 'MiB'],
  ['latency', 'coldStartMs', 'cold start', 'ms'],
  ['throughput', 'most.scoresPerSecond', 'files: scores a second, all cameras and threads', ''],
  ['throughput', 'most.cpuMsPerView', 'files: CPU a view', 'ms'],
  ['sync', 'captureTimeErrorMs.p50', 'clocks: error of capture times, median', 'ms'],
  ['faces', 'detectionOverLiteRt', 'detection, over LiteRT.js', '×'],
  ['faces', 'landmarksOverLiteRt', 'landmarks, over LiteRT.js', '×'],
  ['faces', 'pictureOverHuman', 'whole picture, over human 3.3.6', '×'],
]; // prettier-ignore

/** `clmex bench all`: every benchmark, each in a process of its own, one after the other. */
export function register(bench: Command): void {
  bench
    .command('all')
    .description('Every benchmark, one after the other.')
    .option('--config <file>', 'rig of recordings or videos', SAMPLE_CONFIG)
    .option('--seconds <n>', 'length of the live run', integer('--seconds', 2, 86_400), 30)
    .option('--task <file>', 'a face_landmarker.task, for tasks-vision to run')
    .option('--report <file>', 'also write an HTML page with plots')
    .option('--json', 'print one JSON document', false)
    .action(run);
}

async function run({ config, seconds, task, report: page, json }: Options): Promise<void> {
  await requireReportPlace(page);
  const rig = ['--config', config];
  const plan: Readonly<Record<string, readonly string[]>> = {
    encoder: rig,
    latency: [...rig, '--seconds', String(seconds)],
    throughput: rig,
    views: task === undefined ? rig : [...rig, '--task', task],
    sync: [],
    faces: ['--sets', '300'],
  };
  const results: Record<string, Result> = {};
  const failures: Record<string, string> = {};
  for (const [name, options] of Object.entries(plan)) {
    progress(`${name} …`);
    try {
      const { measuredAt } = environment();
      results[name] = { measuredAt, ...(await child([name, ...options, '--json'])) };
    } catch (error) {
      failures[name] = error instanceof Error ? error.message : String(error);
      notice(failures[name]);
    }
  }
  const report = { kind: 'all', ...environment(), ...results, failures };
  if (page !== undefined) await writeReport(page, report);
  printResult(json, report, () => tableOf(results));
  if (Object.keys(failures).length > 0) process.exitCode = 1;
}

/** @throws ClmexError `engine-failed` with what the benchmark said where it failed. */
function child(args: readonly string[]): Promise<Result> {
  return new Promise((resolve, reject) => {
    const script = process.argv[1] ?? '';
    const started = spawn(process.execPath, [script, 'bench', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const stop = (): void => {
      started.kill('SIGINT');
    };
    process.once('exit', stop);
    let [text, said] = ['', ''];
    started.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
    started.stderr.on('data', (piece: Buffer) => (said = (said + piece.toString()).slice(-2000)));
    started.on('error', reject);
    started.on('close', (code) => {
      process.off('exit', stop);
      try {
        if (code === 0) {
          resolve(JSON.parse(text) as Result);
          return;
        }
      } catch {
        // What it printed is no report; it says why on stderr.
      }
      reject(new ClmexError('engine-failed', `the benchmark failed: ${said.trim()}`, { field: args[0] })); // prettier-ignore
    });
  });
}

function tableOf(results: Readonly<Record<string, Result>>): string {
  const rows = HEADLINES.flatMap(([benchmark, path, name, unit]) => {
    const value = path.split('.').reduce<unknown>((at, key) => (at as Result | undefined)?.[key], results[benchmark]); // prettier-ignore
    return typeof value === 'number' ? [`| ${name} | ${String(Number(value.toPrecision(4)))} ${unit} |`] : []; // prettier-ignore
  });
  return ['| what | measured |', '| --- | --- |', ...rows].join('\n');
}
