import { cpus } from 'node:os';
import type { Command } from 'commander';
import { readConfig, score, type Config } from '../runtime/index.js';
import { environment, rounded, SAMPLE_CONFIG } from './bench-environment.js';
import { requireReportPlace, writeReport } from './bench-html.js';
import { integer, printResult, progress } from './output.js';

interface Options {
  readonly config: string;
  readonly seconds: number;
  readonly threads: number;
  readonly report?: string;
  readonly json: boolean;
}

/** One way of running the rig, as fast as it goes. */
export interface ThroughputRow {
  readonly cameras: number;
  readonly people: number;
  readonly threads: number;
  readonly frameSetsPerSecond: number;
  readonly scoresPerSecond: number;
  /** Faces embedded a second. */
  readonly viewsPerSecond: number;
  readonly cpuMsPerView: number;
  readonly cpuMsPerSet: number;
  /** Resident at the end of the row; a later row's is never under an earlier one's by much. */
  readonly memoryMiB: number;
}

/** `clmex bench throughput`: scores a second against cameras, people and threads. */
export function register(bench: Command): void {
  bench
    .command('throughput')
    .description('Scores a second, files read as fast as they can be scored.')
    .option('--config <file>', 'rig of recordings or videos', SAMPLE_CONFIG)
    .option('--seconds <n>', 'longest time for one row', integer('--seconds', 1, 3600), 6)
    .option('--threads <n>', 'most threads tried', integer('--threads', 1, 64), cpus().length)
    .option('--report <file>', 'also write an HTML page with plots')
    .option('--json', 'print one JSON document', false)
    .action(run);
}

async function run(options: Options): Promise<void> {
  await requireReportPlace(options.report);
  const config = await readConfig(options.config);
  const all = config.cameras.length;
  const plan = [
    ...config.cameras.map((_, i) => ({ cameras: i + 1, people: 2, threads: 1 })),
    { cameras: all, people: 1, threads: 1 },
    ...powersOfTwo(options.threads).map((threads) => ({ cameras: all, people: 2, threads })),
  ];
  const rows: ThroughputRow[] = [];
  for (const way of plan) {
    progress(`${way.cameras} cameras, up to ${way.people} people, ${way.threads} threads …`);
    rows.push(await measure(config, way, options.seconds));
  }
  const report = { kind: 'throughput', ...environment(), most: rows.at(-1), rows };
  if (options.report !== undefined) await writeReport(options.report, report);
  printResult(options.json, report, () => tableOf(rows));
}

function powersOfTwo(most: number): number[] {
  const list: number[] = [];
  for (let threads = 2; threads <= most; threads *= 2) list.push(threads);
  return list;
}

type Way = Pick<ThroughputRow, 'cameras' | 'people' | 'threads'>;

async function measure(config: Config, way: Way, seconds: number): Promise<ThroughputRow> {
  let [started, sets, scores, views] = [0, 0, 0, 0];
  let cpu = process.cpuUsage();
  const enough = new AbortController();
  const limited: Config = {
    ...config,
    cameras: config.cameras.slice(0, way.cameras),
    subjects: { ...config.subjects, max: way.people },
    engine: { ...config.engine, threads: way.threads },
  };
  await score(limited, {
    signal: enough.signal,
    onResult: (result) => {
      // The first set pays for what is made once.
      if (started === 0) {
        started = performance.now();
        cpu = process.cpuUsage();
        return;
      }
      sets++;
      scores += result.scores.length;
      views += result.groups.reduce((sum, { embeddings }) => sum + embeddings.length, 0);
      if (performance.now() - started > seconds * 1000) enough.abort();
    },
  }).catch((error: unknown) => {
    if (!enough.signal.aborted) throw error;
  });
  const elapsed = Math.max(1e-3, (performance.now() - started) / 1000);
  const spent = process.cpuUsage(cpu);
  return {
    ...way,
    frameSetsPerSecond: rounded(sets / elapsed),
    scoresPerSecond: rounded(scores / elapsed),
    viewsPerSecond: rounded(views / elapsed),
    cpuMsPerView: rounded((spent.user + spent.system) / 1000 / Math.max(1, views)),
    cpuMsPerSet: rounded((spent.user + spent.system) / 1000 / Math.max(1, sets)),
    memoryMiB: rounded(process.memoryUsage.rss() / 2 ** 20),
  };
}

function tableOf(rows: readonly ThroughputRow[]): string {
  const names = ['cameras', 'people', 'threads', 'frameSetsPerSecond', 'scoresPerSecond', 'viewsPerSecond', 'cpuMsPerView', 'cpuMsPerSet', 'memoryMiB'] as const; // prettier-ignore
  const head = [
    'cameras',
    'people',
    'threads',
    'sets/s',
    'scores/s',
    'views/s',
    'CPU ms/view',
    'CPU ms/set',
    'MiB',
  ];
  return [head, ...rows.map((row) => names.map((name) => String(row[name])))]
    .map((cells) => cells.map((cell) => cell.padStart(12)).join(''))
    .join('\n');
}
