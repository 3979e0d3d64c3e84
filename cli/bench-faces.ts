import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { createEngine, type Engine, type Session, type Tensor } from '../runtime/engine/engine.js';
import { FaceStage } from '../runtime/faces/faces.js';
import { loadTflite } from '../runtime/faces/model-cache.js';
import { packagedModels } from '../runtime/faces/models.js';
import { decodePicture, type Picture } from '../runtime/image.js';
import { readRecording } from '../runtime/recording/index.js';
import { SAMPLE_RECORDING } from './bench-environment.js';
import { BenchPeer } from './bench-peer.js';
import { notice, printResult, progress } from './output.js';

interface Options {
  readonly json: boolean;
  readonly peers: string;
  readonly rounds: number;
  readonly sets: number;
  readonly recording: string;
}

/** `clmex bench faces`: against LiteRT.js and human where they are installed; memory over time. */
export function register(bench: Command): void {
  bench
    .command('faces')
    .description(
      'Face models against LiteRT.js and human, one thread; memory over many frame sets.',
    )
    .argument('[image...]', 'pictures with faces; frames of the recording otherwise')
    .option('--peers <dir>', 'where the peers are installed', 'test/bench/peers')
    .option('--recording <file>', 'recording', SAMPLE_RECORDING)
    .option('--rounds <n>', 'measured runs of each', positive, 30)
    .option('--sets <n>', 'frame sets of the memory measurement', positive, 5000)
    .option('--json', 'print one JSON document', false)
    .action(run);
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('A whole number from 1 on is needed.');
  return value;
}

async function run(images: readonly string[], options: Options): Promise<void> {
  const engine = await createEngine({ kind: 'onnxruntime', threads: 1 });
  const pictures = await picturesOf(images, options.recording);
  const models = await againstLiteRt(engine, options);
  const whole = await againstHuman(engine, pictures, options);
  const memory = await memoryOver(engine, pictures, options.sets);
  const report = {
    engine: engine.name,
    threads: 1,
    detectionOverLiteRt: models['short']?.ratio ?? null,
    fullDetectionOverLiteRt: models['full']?.ratio ?? null,
    landmarksOverLiteRt: models['mesh']?.ratio ?? null,
    pictureOverHuman: whole.auto.ratio,
    shortPictureOverHuman: whole.short.ratio,
    models,
    whole,
    memory,
  };
  printResult(options.json, report, () => text(report));
}

/**
 * Lower quartile of each side, which other work on the machine touches least, and how many times
 * faster ours is; peer values null where the peer is absent.
 */
interface Comparison {
  readonly oursMs: number;
  readonly peerMs: number | null;
  readonly ratio: number | null;
}
interface ModelComparison extends Comparison {
  /** Largest difference of any output value. */
  readonly maxDifference: number | null;
}

function compare(oursMs: number, peerMs: number | undefined): Comparison {
  return { oursMs, peerMs: peerMs ?? null, ratio: peerMs === undefined ? null : peerMs / oursMs };
}

function lowerQuartile(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 2] ?? NaN;
}

async function peerOrNothing(options: Options, script: string): Promise<BenchPeer | undefined> {
  const path = resolve(options.peers, script);
  if (existsSync(resolve(options.peers, 'node_modules'))) return BenchPeer.start(path);
  notice(`no ${script} peer in ${options.peers}: npm ci --prefix ${options.peers} brings it`);
  return undefined;
}

/** The same tensors through both, turn by turn, so that a busy machine slows both alike. */
async function againstLiteRt(
  engine: Engine,
  options: Options,
): Promise<Record<string, ModelComparison>> {
  const folder = await mkdtemp(join(tmpdir(), 'clmex-bench-'));
  const peer = await peerOrNothing(options, 'litert.mjs');
  const report: Record<string, ModelComparison> = {};
  try {
    for (const [name, bytes] of Object.entries(await packagedModels())) {
      const file = join(folder, `${name}.tflite`);
      await writeFile(file, bytes);
      await peer?.ask({ load: { [name]: file } });
      const session = await loadTflite(engine, bytes, name);
      report[name] = await compareModel(name, session, peer, options.rounds);
      await session.close();
      progress(`${name}: ${JSON.stringify(report[name])}`);
    }
  } finally {
    peer?.close();
    await rm(folder, { recursive: true, force: true });
  }
  return report;
}

const WARM_UP = 5;
/** Runs a turn: a model that runs every frame has its weights in the cache. */
const BURST = 8;

async function compareModel(
  name: string,
  session: Session,
  peer: BenchPeer | undefined,
  rounds: number,
): Promise<ModelComparison> {
  const info = session.inputs[0]!;
  const shape = [1, ...info.shape.slice(1).map(Number)];
  const size = shape.reduce((product, length) => product * length, 1);
  const data = Float32Array.from({ length: size }, (_, i) => ((i * 7919) % 256) / 255);
  const [ours, theirs]: [number[], number[]] = [[], []];
  let [outputs, others]: [Readonly<Record<string, Tensor>>, Float32Array[]] = [{}, []];
  for (let round = -WARM_UP; round < rounds; round++) {
    for (let i = 0; i < BURST; i++) {
      const from = performance.now();
      outputs = await session.run({ [info.name]: { data, shape } });
      if (round >= 0) ours.push(performance.now() - from);
    }
    if (peer === undefined) continue;
    const answer = (await peer.ask({ run: name, input: data, shape, count: BURST })) as Timed;
    if (round >= 0) theirs.push(...answer.times);
    others = answer.outputs;
  }
  const comparison = compare(lowerQuartile(ours), peer && lowerQuartile(theirs));
  return { ...comparison, maxDifference: peer === undefined ? null : farthest(outputs, others) };
}

interface Timed {
  readonly times: number[];
  readonly outputs: Float32Array[];
}

/** Outputs are matched by length: the two sides may list them in different orders. */
function farthest(outputs: Readonly<Record<string, Tensor>>, others: readonly Float32Array[]) {
  let most = 0;
  for (const { data } of Object.values(outputs)) {
    const other = others.find(({ length }) => length === data.length);
    data.forEach((value, i) => (most = Math.max(most, Math.abs(value - (other?.[i] ?? NaN)))));
  }
  return most;
}

/** Turns of every picture for each side, and runs a turn. */
const PICTURE_TURNS = 10;
const PICTURE_BURST = 2;

/** Whole pictures to landmarks: with human's kind of detector (short range), and as clmex does it. */
async function againstHuman(engine: Engine, pictures: readonly Picture[], options: Options) {
  const peer = await peerOrNothing(options, 'human.mjs');
  const stages = {
    short: await FaceStage.create({ engine, detector: 'short', maxFaces: 4 }),
    auto: await FaceStage.create({ engine, detector: 'auto', maxFaces: 4 }),
  };
  const sides: Record<'short' | 'auto' | 'peer', PictureRun> = {
    short: (picture) => timedStill(stages.short, picture),
    auto: (picture) => timedStill(stages.auto, picture),
    peer: async ({ pixels, width, height }) =>
      (await peer!.ask({ run: pixels, width, height, count: PICTURE_BURST })) as PictureTimes,
  };
  try {
    const short = await overPictures(pictures, sides, peer === undefined ? ['short', 'auto'] : ['short', 'auto', 'peer']); // prettier-ignore
    const { peer: theirs } = short;
    return {
      short: { ...compare(short.short!.ms, theirs?.ms), faces: short.short!.faces },
      auto: { ...compare(short.auto!.ms, theirs?.ms), faces: short.auto!.faces },
      pictures: pictures.length,
      facesPeer: theirs?.faces ?? null,
    };
  } finally {
    peer?.close();
    await Promise.all(Object.values(stages).map((stage) => stage.close()));
  }
}

interface PictureTimes {
  readonly times: readonly number[];
  readonly faces: number;
}
type PictureRun = (picture: Picture) => Promise<PictureTimes>;

async function timedStill(stage: FaceStage, picture: Picture): Promise<PictureTimes> {
  const times: number[] = [];
  let faces = 0;
  for (let i = 0; i < PICTURE_BURST; i++) {
    const from = performance.now();
    faces = (await stage.still({ cameraId: 'bench', capturedAtMs: 0, ...picture })).length;
    times.push(performance.now() - from);
  }
  return { times, faces };
}

/** Mean over the pictures of each side's lower quartile, the sides in turn; faces of all pictures. */
async function overPictures<Side extends string>(
  pictures: readonly Picture[],
  runs: Readonly<Record<Side, PictureRun>>,
  sides: readonly Side[],
): Promise<Partial<Record<Side, { ms: number; faces: number }>>> {
  const times = sides.map(() => pictures.map((): number[] => []));
  const faces = sides.map(() => 0);
  for (let turn = -1; turn < PICTURE_TURNS; turn++) {
    for (const [p, picture] of pictures.entries()) {
      for (const [s, side] of sides.entries()) {
        const run = await runs[side](picture);
        if (turn >= 0) times[s]![p]!.push(...run.times);
        if (turn === 0) faces[s]! += run.faces;
      }
    }
  }
  const mean = (values: readonly number[]): number => values.reduce((sum, ms) => sum + ms, 0) / values.length; // prettier-ignore
  const results = sides.map((side, s) => [side, { ms: mean(times[s]!.map(lowerQuartile)), faces: faces[s]! }]); // prettier-ignore
  return Object.fromEntries(results) as Partial<Record<Side, { ms: number; faces: number }>>;
}

/** Memory after a warm-up and after many frame sets of two cameras; collected where possible. */
async function memoryOver(engine: Engine, pictures: readonly Picture[], sets: number) {
  const stage = await FaceStage.create({ engine, detector: 'auto', maxFaces: 2 });
  const set = pictures.slice(0, 2).map((picture, i) => ({ ...picture, cameraId: `camera-${i}` }));
  const push = async (from: number, count: number): Promise<void> => {
    for (let i = from; i < from + count; i++)
      await stage.push(set.map((frame) => ({ ...frame, capturedAtMs: i * 33 })));
  };
  const warm = Math.min(200, sets);
  await push(0, warm);
  const atStart = memory();
  const from = performance.now();
  await push(warm, sets);
  const setMs = (performance.now() - from) / sets;
  const atEnd = memory();
  await stage.close();
  return { frameSets: sets, setMs, atStart, atEnd };
}

function memory(): { heapMb: number; externalMb: number; arrayBuffersMb: number; rssMb: number } {
  globalThis.gc?.();
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
  const mb = (bytes: number): number => Math.round(bytes / 1e4) / 100;
  return {
    heapMb: mb(heapUsed),
    externalMb: mb(external),
    arrayBuffersMb: mb(arrayBuffers),
    rssMb: mb(rss),
  };
}

const MOST_PICTURES = 8;
/** Frames between two pictures taken from the recording. */
const PICTURE_EVERY = 37;

async function picturesOf(images: readonly string[], recording: string): Promise<Picture[]> {
  if (images.length > 0)
    return Promise.all(images.map(async (image) => decodePicture(await readFile(image), image)));
  const pictures: Picture[] = [];
  let count = 0;
  for await (const entry of readRecording(recording)) {
    if (entry.kind !== 'frame' || count++ % PICTURE_EVERY !== 0) continue;
    pictures.push(await decodePicture(entry.frame.jpeg, recording));
    if (pictures.length === MOST_PICTURES) break;
  }
  return pictures;
}

interface Report {
  readonly engine: string;
  readonly models: Readonly<Record<string, ModelComparison>>;
  readonly whole: Awaited<ReturnType<typeof againstHuman>>;
  readonly memory: Awaited<ReturnType<typeof memoryOver>>;
}

function text({ engine, models, whole, memory }: Report): string {
  const line = (name: string, { oursMs, peerMs, ratio }: Comparison): string =>
    `${name.padEnd(28)} ${oursMs.toFixed(2)} ms${peerMs === null || ratio === null ? '' : `, peer ${peerMs.toFixed(2)} ms: ${ratio.toFixed(1)} times faster`}`;
  const { atStart, atEnd } = memory;
  return [
    engine,
    ...Object.entries(models).map(([name, comparison]) => line(name, comparison)),
    line('whole picture, short range', whole.short),
    line('whole picture, auto', whole.auto),
    `memory over ${memory.frameSets} frame sets: heap ${atStart.heapMb} → ${atEnd.heapMb} MB, external ${atStart.externalMb} → ${atEnd.externalMb} MB, ${memory.setMs.toFixed(1)} ms a set`,
  ].join('\n');
}
