import type { Command } from 'commander';
import { writeOnnxInt8 } from '../encoder/formats/onnx-int8.js';
import { loadModel, ROWS_PER_VIEW, type Model } from '../encoder/index.js';
import { buildNetwork, NETWORKS } from '../encoder/network.js';
import { quantizeBest } from '../encoder/quantise/choose.js';
import { quantizeGraph } from '../encoder/quantise/quantise.js';
import { createEngine, type Engine, type Tensor } from '../runtime/engine/engine.js';
import { DEFAULT_MODEL } from '../runtime/index.js';
import { collectCrops, type CroppedView } from './bench-crops.js';
import { environment, rounded, SAMPLE_CONFIG } from './bench-environment.js';
import { Peak, speedOf } from './bench-speed.js';
import { torchOf } from './bench-torch.js';
import { compareEmbeddings, embedViews } from './embed-views.js';
import { integer, notice, printResult, progress } from './output.js';
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
    .option('--batch <n>', 'views in one run, two rows each', integer('--batch', 1, 256), 4)
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
  const peak = await Peak.load(engine);
  try {
    progress('comparing …');
    const expected = await embedViews(model, float, views);
    const got = await embedViews(model, int8, views);
    const near = compareEmbeddings(model, views, expected, got);
    const { size } = model.manifest.crop;
    const crops = Array.from({ length: options.batch }, (_, i) => views[i % views.length]!.crop);
    const rows = ROWS_PER_VIEW * options.batch;
    const input = { data: inputsOf(model, crops), shape: [rows, size, size, 1] };
    const own = await speedOf(model.graph, { float, int8 }, peak, input, options.rounds);
    const base = await speedOfBase(engine, peak, input, options.rounds);
    const report = {
      kind: 'encoder',
      ...environment(),
      config: options.config,
      rounds: options.rounds,
      engine: engine.name,
      model: model.manifest.name,
      threads: options.threads,
      batch: options.batch,
      crops: views.length,
      quantised: from,
      ...own,
      int8MsPerView: rounded(own.int8Ms / options.batch),
      ...near,
      ...(await againstTflite(model, views, got)),
      base,
      torch: await torchOf(model.graph, { ...options, batch: rows }),
    };
    printResult(options.json, report, () => textOf(report));
  } finally {
    await Promise.all([float.close(), int8.close(), peak.close()]);
  }
}

/** The base network with drawn weights: how fast it runs does not depend on what it has learned. */
async function speedOfBase(engine: Engine, peak: Peak, input: Tensor, rounds: number) {
  const graph = buildNetwork(NETWORKS.base, 1);
  const runner = new GraphRunner(engine);
  const options = { ranges: 'minmax', equalise: false, correctBiases: false } as const;
  const quantized = await quantizeGraph(graph, [input.data], runner.run, options);
  await runner.close();
  const sessions = {
    float: await engine.load(graph, 'base fp32'),
    int8: await engine.load(writeOnnxInt8(quantized), 'base int8'),
  };
  try {
    return await speedOf(graph, sessions, peak, input, Math.ceil(rounds / 4));
  } finally {
    await Promise.all([sessions.float.close(), sessions.int8.close()]);
  }
}

/** TFLite int8 against ONNX int8 on the same crops; null where LiteRT.js is not installed. */
async function againstTflite(
  model: Model,
  views: readonly CroppedView[],
  onnx: readonly Float32Array[],
) {
  const bytes = model.variants.get('int8.tflite');
  try {
    const engine = await createEngine({ kind: 'tflite', threads: 1 });
    const session = await engine.load(bytes ?? model.graph, 'int8.tflite');
    const lite = await embedViews(model, session, views);
    await session.close();
    const { embeddingCosine, topLabelAgreement } = compareEmbeddings(model, views, onnx, lite);
    return { tfliteCosine: embeddingCosine, tfliteTopLabelAgreement: topLabelAgreement };
  } catch (error) {
    notice(`TFLite left out: ${error instanceof Error ? error.message : String(error)}`);
    return { tfliteCosine: null, tfliteTopLabelAgreement: null };
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

function textOf(report: Readonly<Record<string, unknown>>): string {
  return Object.entries(report)
    .map(
      ([name, value]) =>
        `${name.padEnd(24)} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
    )
    .join('\n');
}
