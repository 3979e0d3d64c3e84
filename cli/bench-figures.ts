import type { CaptureRow } from './bench-capture.js';
import type { Spread } from './bench-environment.js';
import type { Sample } from './bench-meter.js';
import { bars, lines, type Series } from './bench-plots.js';
import type { ThroughputRow } from './bench-throughput.js';
import type { ViewsRow } from './bench-views.js';

type Report = Readonly<Record<string, unknown>>;

/** What can be plotted, where a report has it. */
interface Numbers {
  readonly captureToScoreMs?: Spread;
  readonly stagesMs?: Readonly<Record<string, Spread>>;
  readonly samples?: readonly Sample[];
  readonly rows?: readonly ThroughputRow[];
  readonly viewRows?: readonly ViewsRow[];
  readonly captureRows?: readonly CaptureRow[];
}

/** The plots that a report's numbers allow. */
export function figuresOf(report: Report): string {
  const {
    captureToScoreMs,
    stagesMs,
    samples = [],
    rows = [],
    viewRows = [],
    captureRows = [],
  } = report as Numbers;
  return [
    ...stages(captureToScoreMs, stagesMs),
    ...course(samples),
    ...throughput(rows),
    ...views(viewRows, captureRows),
  ].join('\n');
}

function stages(whole: Spread | undefined, each?: Readonly<Record<string, Spread>>): string[] {
  if (whole === undefined || each === undefined) return [];
  const rows = Object.entries({ 'capture to score': whole, ...each });
  const groups = rows.map(([name, { p50, p95, p99, max }]) => ({ name, values: [p50, p95, p99, max] })); // prettier-ignore
  return [bars('Milliseconds a stage', groups, ['p50', 'p95', 'p99', 'max'])];
}

function course(samples: readonly Sample[]): string[] {
  if (samples.length < 2) return [];
  const along = (name: string, pick: (sample: Sample) => number): Series => ({
    name,
    points: samples.map((sample) => [sample.second, pick(sample)] as const),
  });
  return [
    lines('Capture to score over the run, ms', 'seconds', [
      along('p50', ({ captureToScoreMs }) => captureToScoreMs.p50),
      along('p95', ({ captureToScoreMs }) => captureToScoreMs.p95),
    ]),
    lines('Memory, MiB', 'seconds', [along('resident', ({ memoryMiB }) => memoryMiB)]),
    lines('CPU, cores', 'seconds', [along('all threads', ({ cpuCores }) => cpuCores)]),
  ];
}

function throughput(rows: readonly ThroughputRow[]): string[] {
  const [first] = rows;
  if (first === undefined) return [];
  const most = Math.max(...rows.map(({ cameras }) => cameras));
  const people = Math.max(...rows.map((row) => row.people));
  const byCameras = rows.filter((row) => row.people === people && row.threads === 1);
  const along = (name: string, pick: (row: ThroughputRow) => number): Series => ({
    name,
    points: byCameras.map((row) => [row.cameras, pick(row)] as const),
  });
  const full = rows.filter(({ cameras }) => cameras === most);
  const bar = (name: string, row: ThroughputRow) => ({ name, values: [row.scoresPerSecond] });
  return [
    lines('A second, one thread, against cameras', 'cameras', [
      along('views', (row) => row.viewsPerSecond),
      along('scores', (row) => row.scoresPerSecond),
      along('frame sets', (row) => row.frameSetsPerSecond),
    ]),
    bars(
      'Scores a second against people, one thread',
      full.filter(({ threads }) => threads === 1).sort((a, b) => a.people - b.people)
        .map((row) => bar(`up to ${row.people}`, row)),
    ),
    bars(
      `Scores a second against threads, up to ${people} people`,
      full.filter((row) => row.people === people).map((row) => bar(`${row.threads} threads`, row)),
    ),
    lines('CPU of a frame set, ms, one thread', 'cameras', [along('CPU', (row) => row.cpuMsPerSet)]),
    lines('Memory, MiB, one thread', 'cameras', [along('resident', (row) => row.memoryMiB)]),
  ]; // prettier-ignore
}

function views(rows: readonly ViewsRow[], captured: readonly CaptureRow[]): string[] {
  if (rows.length === 0) return [];
  const along = (people: number): Series => ({
    name: people === 1 ? '1 person' : `up to ${people}`,
    points: rows.filter((row) => row.people === people).map((row) => [row.views, row.msPerSet]),
  });
  const groups = [...new Set(rows.map(({ people }) => people))];
  return [
    lines('From pixels to scores, ms a frame set, against views', 'views', groups.map(along)),
    lines('Capture: CPU of a frame set, ms, against cameras', 'cameras', [
      { name: 'CPU', points: captured.map((row) => [row.cameras, row.cpuMsPerSet]) },
    ]),
  ];
}
