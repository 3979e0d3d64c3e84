import type { Command } from 'commander';
import { writeOnnxInt8 } from '../encoder/formats/onnx-int8.js';
import { loadModel, type Model } from '../encoder/index.js';
import { quantizeBest } from '../encoder/quantise/choose.js';
import { createEngine, type Engine, type Session } from '../runtime/engine/engine.js';
import { DEFAULT_MODEL } from '../runtime/index.js';
import { collectCrops, type CroppedView } from './bench-crops.js';
import { environment, lowerQuartile, rounded, SAMPLE_CONFIG } from './bench-environment.js';
import { operationsOf, peakGraph, PEAK_OPERATIONS } from './bench-operations.js';
import { compareEmbeddings, embedViews } from './embed-views.js';
import { integer, printResult, progress } from './output.js';
import { batchesOf, GraphRunner, inputsOf } from './quantise-model.js';

interface Options {
  readonly model: string;
  readonly config: string;
  readonly crops: number;
  readonly batch: number;
  readonly rounds: number;
  readonly threads: number;
  readonly json: boolean;
}

/** `clmex bench encoder`: int8 against float on the same crops, turn by turn in one process. */
export function register(bench: Command): void {
  bench
    .command('encoder')
    .description('The encoder in int8 against fp32: speed, nearness, share of the int8 peak.')
    .option('--model <dir>', 'model package', DEFAULT_MODEL)
    .option('--config <file>', 'rig whose faces are embedded', SAMPLE_CONFIG)
    .option('--crops <n>', 'faces compared', integer('--crops', 8, 100_000), 256)
    .option('--batch <n>', 'views in one run', integer('--batch', 1, 256), 4)
    .option('--rounds <n>', 'timed runs of each', integer('--rounds', 5, 100_000), 200)
    .option('--threads <n>', 'CPU threads', integer('--threads', 1, 64), 1)
    .option('--json', 'print one JSON document', false)
    .action(run);
}

async function run(options: Options): Promise<void> {
  const engine = await createEngine({ kind: 'onnxruntime', threads: options.threads });
  const model = await loadModel(options.model);
  progress('finding faces …');
  const views = await collectCrops(options.config, options.model, options.crops);
  const { bytes, from } = await int8Of(model, engine, views);
  const float = await engine.load(model.graph, 'encoder fp32');
  const int8 = await engine.load(bytes, 'encoder int8');
  const peak = await engine.load(writeOnnxInt8(peakGraph()), 'int8 matrix product');
  try {
    progress('comparing …');
    const expected = await embedViews(model, float, views);
    const near = compareEmbeddings(model, views, expected, await embedViews(model, int8, views));
    const times = await time(model, views, { float, int8, peak }, options);
    const operations = operationsOf(model.graph) * options.batch;
    const peakGops = PEAK_OPERATIONS / times.peak / 1e6;
    const report = {
      ...environment(),
      engine: engine.name,
      model: model.manifest.name,
      threads: options.threads,
      batch: options.batch,
      crops: views.length,
      quantised: from,
      fp32Ms: rounded(times.float),
      int8Ms: rounded(times.int8),
      int8MsPerView: rounded(times.int8 / options.batch),
      int8OverFp32: rounded(times.float / times.int8),
      ...near,
      int8Gops: rounded(operations / times.int8 / 1e6),
      int8PeakGops: rounded(peakGops),
      shareOfInt8Peak: rounded(operations / times.int8 / 1e6 / peakGops),
    };
    printResult(options.json, report, () => textOf(report));
  } finally {
    await Promise.all([float, int8, peak].map((session) => session.close()));
  }
}

/** The package's own int8 file, or one made here from every other face. */
async function int8Of(model: Model, engine: Engine, views: readonly CroppedView[]) {
  const shipped = model.variants.get('int8.onnx');
  if (shipped !== undefined) return { bytes: shipped, from: 'model package' };
  progress('quantising …');
  const crops = views.map(({ crop }) => crop);
  const runner = new GraphRunner(engine);
  const { quantized } = await quantizeBest(
    model.graph,
    batchesOf(model, crops.filter((_, i) => i % 2 === 0)),
    inputsOf(model, crops.filter((_, i) => i % 16 === 1)),
    runner.run,
  ); // prettier-ignore
  await runner.close();
  return { bytes: writeOnnxInt8(quantized), from: 'here, from every other face' };
}

interface Timed<T> {
  readonly float: T;
  readonly int8: T;
  readonly peak: T;
}

/** Lower quartiles, the three turn by turn: what other programs add to a run is mostly left out. */
async function time(
  model: Model,
  views: readonly CroppedView[],
  sessions: Timed<Session>,
  { batch, rounds }: Options,
): Promise<Timed<number>> {
  const { size } = model.manifest.crop;
  const crops = Array.from({ length: batch }, (_, i) => views[i % views.length]!.crop);
  const given = { data: inputsOf(model, crops), shape: [batch, size, size, 1] };
  const feeds = { [model.graph.inputs[0]!.name]: given };
  const { name, shape } = peakGraph().graph.inputs[0]!;
  const rows = { [name]: { data: new Float32Array(shape[0]! * shape[1]!).fill(0.5), shape } };
  const times = { float: [] as number[], int8: [] as number[], peak: [] as number[] };
  for (let round = -5; round < rounds; round++) {
    for (const kind of ['float', 'int8', 'peak'] as const) {
      if (kind === 'peak' && round % 8 !== 0) continue;
      const from = performance.now();
      await sessions[kind].run(kind === 'peak' ? rows : feeds);
      if (round >= 0) times[kind].push(performance.now() - from);
    }
  }
  return {
    float: lowerQuartile(times.float),
    int8: lowerQuartile(times.int8),
    peak: lowerQuartile(times.peak),
  };
}

function textOf(report: Readonly<Record<string, unknown>>): string {
  return Object.entries(report)
    .map(([name, value]) => `${name.padEnd(20)} ${String(value)}`)
    .join('\n');
}
