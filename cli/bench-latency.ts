import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { ClmexError } from '../core/errors.js';
import { systemClock } from '../runtime/clock.js';
import { DEFAULT_MODEL, readConfig, Runtime, type Config } from '../runtime/index.js';
import { environment, SAMPLE_CONFIG, type Spread } from './bench-environment.js';
import { requireReportPlace, writeReport } from './bench-html.js';
import { Meter, type Measured } from './bench-meter.js';
import { integer, printResult, progress } from './output.js';

interface Options {
  readonly config: string;
  readonly seconds: number;
  readonly warmUp: number;
  readonly cameras?: number;
  readonly report?: string;
  readonly json: boolean;
}

/** `clmex bench latency`: a rig replayed in real time through the whole runtime, sockets included. */
export function register(bench: Command): void {
  bench
    .command('latency')
    .description('Capture to score, stage by stage, with recordings replayed in real time.')
    .option('--config <file>', 'rig to run; recordings and videos are looped', SAMPLE_CONFIG)
    .option('--seconds <n>', 'length of the measurement', integer('--seconds', 2, 86_400), 30)
    .option('--warm-up <n>', 'seconds before it', integer('--warm-up', 0, 600), 4)
    .option('--cameras <n>', 'only the first n cameras', integer('--cameras', 1, 8))
    .option('--report <file>', 'also write an HTML page with plots')
    .option('--json', 'print one JSON document', false)
    .action(run);
}

async function run(options: Options): Promise<void> {
  await requireReportPlace(options.report);
  const rig = await readConfig(options.config);
  if (options.cameras !== undefined && options.cameras > rig.cameras.length) {
    throw new ClmexError('invalid-argument', 'are more than the rig has', {
      field: '--cameras',
      value: options.cameras,
      allowed: `1 to ${rig.cameras.length}`,
    });
  }
  const config = prepared(rig, options.cameras);
  const started = performance.now();
  progress('starting …');
  const runtime = await Runtime.start(config);
  const coldStartMs = Math.round(performance.now() - started);
  let measured: Measured;
  try {
    measured = await measure(runtime, options);
  } finally {
    await runtime.close();
  }
  const report = {
    kind: 'latency',
    ...environment(),
    config: options.config,
    model: config.model ?? DEFAULT_MODEL,
    engine: config.engine,
    warmUpSeconds: options.warmUp,
    cameras: config.cameras.length,
    coldStartMs,
    ...measured,
  };
  if (options.report !== undefined) await writeReport(options.report, report);
  printResult(options.json, report, () => textOf(report));
}

/** Files go round and round; nothing listens outside and no picture is made. */
function prepared(config: Config, most: number | undefined): Config {
  return {
    ...config,
    cameras: config.cameras.slice(0, most).map((camera) => ({
      ...camera,
      source:
        camera.source.kind === 'video' || camera.source.kind === 'recording'
          ? { ...camera.source, realtime: true, loop: true }
          : camera.source,
    })),
    stream: { ...config.stream, host: '127.0.0.1', port: 0 },
    privacy: { ...config.privacy, previews: false },
  };
}

async function measure(runtime: Runtime, { seconds, warmUp }: Options): Promise<Measured> {
  const failed = runtime.finished.then(() => true);
  await Promise.race([failed, sleep(warmUp * 1000)]);
  const meter = new Meter(() => systemClock.nowMs(), runtime.status());
  const stop = runtime.on('scores', (scores) => meter.scores(scores));
  try {
    for (let second = 1; second <= seconds; second++) {
      if ((await Promise.race([failed, sleep(1000)])) === true) break;
      meter.sample();
      if (second % 10 === 0) progress(`${second} of ${seconds} s`);
    }
    return meter.finish(runtime.status());
  } finally {
    stop();
  }
}

function textOf(report: Measured & { cameras: number; coldStartMs: number }): string {
  const row = (name: string, { p50, p95, p99, max }: Spread): string =>
    `${name.padEnd(18)}${[p50, p95, p99, max].map((ms) => ms.toFixed(1).padStart(9)).join('')}`;
  return [
    `${report.cameras} cameras, ${report.framesPerSecond} frames/s, ${report.frameSetsPerSecond} frame sets/s, ${report.scoresPerSecond} scores/s`,
    `dropped ${(report.droppedFraction * 100).toFixed(2)} % ${JSON.stringify(report.drops)}; cold start ${report.coldStartMs} ms`,
    `a camera takes ${report.cpuCoresPerCamera} cores; memory grew × ${report.memoryGrowth}`,
    `${'milliseconds'.padEnd(18)}${['p50', 'p95', 'p99', 'max'].map((name) => name.padStart(9)).join('')}`,
    row('capture to score', report.captureToScoreMs),
    ...Object.entries(report.stagesMs).map(([stage, spread]) => row(`  ${stage}`, spread)),
    row('event loop delay', report.eventLoopDelayMs),
  ].join('\n');
}
