import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Frame, FrameSet } from '../core/types.js';
import { loadModel } from '../encoder/index.js';
import { VirtualClock } from '../runtime/clock.js';
import { DEFAULT_MODEL, readConfig, rigOf, score, type Config } from '../runtime/index.js';
import { LocalInference } from '../runtime/inference/local.js';
import { Pipeline } from '../runtime/pipeline.js';
import { measureCapture, type CaptureRow } from './bench-capture.js';
import { lineThrough } from './bench-line.js';
import { BenchPeer } from './bench-peer.js';
import { environment, rounded, SAMPLE_CONFIG, spreadOf } from './bench-environment.js';
import { requireReportPlace, writeReport } from './bench-html.js';
import { integer, notice, printResult, progress } from './output.js';

interface Options {
  readonly config: string;
  readonly sets: number;
  readonly peers: string;
  readonly task?: string;
  readonly report?: string;
  readonly json: boolean;
}

/** One number of cameras and people; milliseconds from pixels to fused scores. */
export interface ViewsRow {
  readonly cameras: number;
  readonly people: number;
  /** Faces embedded a frame set, mean. */
  readonly views: number;
  readonly msPerSet: number;
  readonly msPerView: number;
}

/** `clmex bench views`: cost of a frame set against cameras, views and people; against peers. */
export function register(bench: Command): void {
  bench
    .command('views')
    .description(
      'From pixels to fused score, by number of cameras and people; against human and tasks-vision.',
    )
    .option('--config <file>', 'rig of recordings or videos', SAMPLE_CONFIG)
    .option('--sets <n>', 'frame sets of each row', integer('--sets', 5, 10_000), 60)
    .option('--peers <dir>', 'where the peers are installed', 'test/bench/peers')
    .option('--task <file>', 'a face_landmarker.task, for tasks-vision to run')
    .option('--report <file>', 'also write an HTML page with plots')
    .option('--json', 'print one JSON document', false)
    .action(run);
}

async function run(options: Options): Promise<void> {
  await requireReportPlace(options.report);
  const config = await readConfig(options.config);
  progress('reading pictures …');
  const sets = await picturesOf(config, options.sets);
  const rows: ViewsRow[] = [];
  for (const people of [1, 2]) {
    for (let cameras = 1; cameras <= config.cameras.length; cameras++)
      rows.push(await measure(config, sets, cameras, people));
  }
  const captureRows: CaptureRow[] = [];
  for (let cameras = 1; cameras <= config.cameras.length; cameras++)
    captureRows.push(await measureCapture(config, cameras, options.sets));
  const one = rows.find(
    ({ cameras, people }) => people === 1 && cameras === config.cameras.length,
  )!;
  const report = {
    kind: 'views',
    ...environment(),
    sets: sets.length,
    ...costs(rows, captureRows),
    pipelineMsPerSet: one.msPerSet,
    ...(await againstPeers(sets, one.msPerSet, options)),
    viewRows: rows,
    captureRows,
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

function costs(rows: readonly ViewsRow[], captureRows: readonly CaptureRow[]) {
  const views = lineThrough(rows.map((row) => [row.views, row.msPerSet]));
  const capture = lineThrough(captureRows.map((row) => [row.cameras, row.cpuMsPerSet]));
  return {
    msPerFurtherView: rounded(views.slope),
    msWithoutViews: rounded(views.offset),
    linearity: rounded(views.explained),
    captureCpuMsPerCamera: rounded(capture.slope),
    captureLinearity: rounded(capture.explained),
  };
}

/** Each peer on the very pictures of the sets, in this run; null for one that is not here. */
async function againstPeers(sets: readonly Pixels[][], oursMs: number, options: Options) {
  const { peers, task } = options;
  const over = (ms: number | null): number | null => (ms === null ? null : rounded(ms / oursMs));
  const human = await peerOver(sets, peers, 'human.mjs', ['1', 'emotion']);
  const landmarker =
    task === undefined
      ? null
      : await peerOver(sets, peers, 'tasks-vision.mjs', [resolve(task), '1']);
  return {
    humanMsPerSet: human,
    pipelineOverHuman: over(human),
    tasksVisionMsPerSet: landmarker,
    pipelineOverTasksVision: over(landmarker),
  };
}

/** Milliseconds of a peer for the pictures of one set, median; null where it does not start. */
async function peerOver(
  sets: readonly Pixels[][],
  folder: string,
  script: string,
  args: readonly string[],
): Promise<number | null> {
  let peer: BenchPeer;
  try {
    peer = await BenchPeer.start(resolve(folder, script), args);
  } catch {
    notice(`${script} left out: npm install --prefix ${folder} brings it`);
    return null;
  }
  progress(`${script} …`);
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

/** A number a line, tables of numbers after them. */
function textOf(report: Readonly<Record<string, unknown>>): string {
  const entries = Object.entries(report);
  const numbers = entries.filter(([, value]) => !Array.isArray(value));
  const tables = entries.flatMap(([, value]) => (Array.isArray(value) ? [tableOf(value as Row[])] : [])); // prettier-ignore
  return [
    ...numbers.map(([name, value]) => `${name.padEnd(24)} ${String(value)}`),
    ...tables.flatMap((table) => ['', table]),
  ].join('\n');
}

type Row = Readonly<Record<string, number>>;

function tableOf(rows: readonly Row[]): string {
  const names = Object.keys(rows[0] ?? {});
  return [names, ...rows.map((row) => names.map((name) => String(row[name])))]
    .map((cells) => cells.map((cell) => cell.padStart(12)).join(''))
    .join('\n');
}
