import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Frame, FrameSet } from '../core/types.js';
import { loadModel } from '../encoder/index.js';
import { VirtualClock } from '../runtime/clock.js';
import { DEFAULT_MODEL, readConfig, rigOf, score, type Config } from '../runtime/index.js';
import { LocalInference } from '../runtime/inference/local.js';
import { Pipeline } from '../runtime/pipeline.js';
import { BenchPeer } from './bench-peer.js';
import { environment, rounded, SAMPLE_CONFIG, spreadOf } from './bench-environment.js';
import { writeReport } from './bench-html.js';
import { integer, printResult, progress } from './output.js';

interface Options {
  readonly config: string;
  readonly sets: number;
  readonly peers: string;
  readonly report?: string;
  readonly json: boolean;
}

/** One number of cameras and people; milliseconds from pixels to fused scores. */
interface ViewsRow {
  readonly cameras: number;
  readonly people: number;
  /** Faces embedded a frame set, mean. */
  readonly views: number;
  readonly msPerSet: number;
  readonly msPerView: number;
}

/** `clmex bench views`: cost of a frame set against views and people; the pipeline against human. */
export function register(bench: Command): void {
  bench
    .command('views')
    .description('From pixels to fused score, by number of cameras and people; against human.')
    .option('--config <file>', 'rig of recordings or videos', SAMPLE_CONFIG)
    .option('--sets <n>', 'frame sets of each row', integer('--sets', 5, 10_000), 60)
    .option('--peers <dir>', 'where the peers are installed', 'test/bench/peers')
    .option('--report <file>', 'also write an HTML page with plots')
    .option('--json', 'print one JSON document', false)
    .action(run);
}

async function run(options: Options): Promise<void> {
  const config = await readConfig(options.config);
  progress('reading pictures …');
  const sets = await picturesOf(config, options.sets);
  const rows: ViewsRow[] = [];
  for (const people of [1, 2]) {
    for (let cameras = 1; cameras <= config.cameras.length; cameras++)
      rows.push(await measure(config, sets, cameras, people));
  }
  const four = rows.find(
    ({ cameras, people }) => people === 1 && cameras === config.cameras.length,
  )!;
  const human = await humanOver(sets, options.peers);
  const report = {
    kind: 'views',
    ...environment(),
    sets: sets.length,
    ...lineOf(rows),
    pipelineMsPerSet: four.msPerSet,
    humanMsPerSet: human,
    pipelineOverHuman: human === null ? null : rounded(human / four.msPerSet),
    viewRows: rows,
  };
  if (options.report !== undefined) await writeReport(options.report, report);
  printResult(options.json, report, () => textOf(report));
}

type Pixels = Omit<Frame, 'close'>;

/** Complete frame sets of the rig with copies of their pixels, in order. */
async function picturesOf(config: Config, most: number): Promise<Pixels[][]> {
  const sets: Pixels[][] = [];
  const enough = new AbortController();
  await score(config, {
    signal: enough.signal,
    onSet: ({ frames }) => {
      if (frames.size < config.cameras.length || sets.length >= most) return;
      sets.push([...frames.values()].map((frame) => ({ ...frame, pixels: frame.pixels.slice() })));
    },
    onResult: () => {
      if (sets.length >= most) enough.abort();
    },
  }).catch((error: unknown) => {
    if (!enough.signal.aborted) throw error;
  });
  return sets;
}

async function measure(
  config: Config,
  sets: readonly Pixels[][],
  cameras: number,
  people: number,
): Promise<ViewsRow> {
  progress(`${cameras} cameras, up to ${people} people …`);
  const cameraIds = config.cameras.slice(0, cameras).map(({ id }) => id);
  const directory = config.model ?? DEFAULT_MODEL;
  const inference = await LocalInference.load({
    engine: { ...config.engine, threads: config.engine.threads ?? 1 },
    model: directory,
    faces: { ...config.faces, maxFaces: people, calibration: (await rigOf(config))?.cameras },
  });
  const clock = new VirtualClock();
  const pipeline = new Pipeline(
    { cameraIds, sync: config.sync, calibration: await rigOf(config), subjects: { ...config.subjects, max: people } },
    { clock, model: await loadModel(directory), inference },
  ); // prettier-ignore
  const times: number[] = [];
  let views = 0;
  try {
    for (const [index, set] of sets.entries()) {
      const frames = set.filter(({ cameraId }) => cameraIds.includes(cameraId));
      const from = performance.now();
      const { groups } = await pipeline.process(frameSetOf(index, frames));
      // The first sets search whole pictures and place the cameras.
      if (index < WARM_UP) continue;
      times.push(performance.now() - from);
      views += groups.reduce((sum, { embeddings }) => sum + embeddings.length, 0);
    }
  } finally {
    pipeline.close();
    await inference.close();
  }
  const msPerSet = medianOf(times);
  const perSet = views / times.length;
  return { cameras, people, views: rounded(perSet), msPerSet: rounded(msPerSet), msPerView: rounded(msPerSet / Math.max(perSet, 1e-9)) }; // prettier-ignore
}

const WARM_UP = 4;

const medianOf = (times: readonly number[]): number => spreadOf(times).p50;

function frameSetOf(index: number, pixels: readonly Pixels[]): FrameSet {
  const frames = new Map(pixels.map((frame) => [frame.cameraId, { ...frame, close: () => undefined }])); // prettier-ignore
  const atMs = pixels[0]!.capturedAtMs;
  return { index, atMs, spreadMs: 0, frames, missing: new Map(), close: () => undefined };
}

/** Least-squares line of cost over views, and how much of the differences it explains. */
function lineOf(rows: readonly ViewsRow[]) {
  const mean = (pick: (row: ViewsRow) => number): number =>
    rows.reduce((sum, row) => sum + pick(row), 0) / rows.length;
  const [x, y] = [mean(({ views }) => views), mean(({ msPerSet }) => msPerSet)];
  const along = mean((row) => (row.views - x) * (row.msPerSet - y));
  const slope =
    along /
    Math.max(
      1e-9,
      mean((row) => (row.views - x) ** 2),
    );
  const explained =
    (slope * along) /
    Math.max(
      1e-9,
      mean((row) => (row.msPerSet - y) ** 2),
    );
  return { msPerFurtherView: rounded(slope), msWithoutViews: rounded(y - slope * x), linearity: rounded(explained) }; // prettier-ignore
}

/** Milliseconds of human for the pictures of one set: detector, mesh, emotion; null without it. */
async function humanOver(sets: readonly Pixels[][], peers: string): Promise<number | null> {
  let peer: BenchPeer;
  try {
    peer = await BenchPeer.start(resolve(peers, 'human.mjs'), ['1', 'emotion']);
  } catch {
    progress(`human left out: npm install --prefix ${peers} brings it`);
    return null;
  }
  progress('human …');
  try {
    const times: number[] = [];
    for (const [index, set] of sets.slice(0, 24).entries()) {
      let ms = 0;
      for (const { pixels, width, height } of set) {
        const answer = await peer.ask({ run: pixels, width, height, count: 1 });
        ms += (answer as { times: number[] }).times[0]!;
      }
      if (index >= WARM_UP) times.push(ms);
    }
    return rounded(medianOf(times));
  } finally {
    peer.close();
  }
}

function textOf({
  viewRows,
  ...report
}: Readonly<Record<string, unknown>> & { viewRows: readonly ViewsRow[] }) {
  const names = ['cameras', 'people', 'views', 'msPerSet', 'msPerView'] as const;
  const table = [names as readonly string[], ...viewRows.map((row) => names.map((name) => String(row[name])))]
    .map((cells) => cells.map((cell) => cell.padStart(11)).join(''))
    .join('\n'); // prettier-ignore
  const rest = Object.entries(report).map(([name, value]) => `${name.padEnd(20)} ${String(value)}`);
  return [table, '', ...rest].join('\n');
}
