import type { Command } from 'commander';
import { writeOnnxInt8 } from '../encoder/formats/onnx-int8.js';
import { writeOnnxSymmetric } from '../encoder/formats/onnx-symmetric.js';
import { writeTfliteInt8 } from '../encoder/formats/tflite-writer.js';
import { addVariants, loadModel, type Model } from '../encoder/index.js';
import { createModel } from '../encoder/model.js';
import { quantizeBest } from '../encoder/quantise/choose.js';
import { reportLayers, type LayerReport } from '../encoder/quantise/report.js';
import { Random } from '../encoder/random.js';
import { createEngine, type Engine } from '../runtime/engine/engine.js';
import {
  evaluate, fitTemperatures, openRendered, renderedGroups, type Evaluation, type LabelledGroup,
} from '../training/index.js'; // prettier-ignore
import { collectCrops } from './bench-crops.js';
import { rounded, SAMPLE_CONFIG } from './bench-environment.js';
import { compareEmbeddings, embedViews, type Nearness } from './embed-views.js';
import { integer, printResult, progress } from './output.js';
import { requireSplit } from './rendered-split.js';
import { batchesOf, GraphRunner, inputsOf } from './quantise-model.js';

interface Options {
  readonly model: string;
  readonly data?: string;
  readonly config: string;
  readonly crops: number;
  readonly held: number;
  readonly json: boolean;
}

/** Files that are added to the package. */
const INT8_ONNX = 'int8.onnx';
const INT8_TFLITE = 'int8.tflite';
const INT8_SYMMETRIC = 'int8-symmetric.onnx';

/** `clmex quantise`: adds the encoder in int8 to a model package. */
export function register(program: Command): void {
  program
    .command('quantise')
    .description('Add the encoder in int8 (ONNX and TFLite) to a model package.')
    .requiredOption('--model <dir>', 'model package that gets the files, in place of older ones')
    .option('--data <dir>', 'rendered set: validation people calibrate, test people measure')
    .option('--config <file>', 'without --data: the rig whose faces calibrate', SAMPLE_CONFIG)
    .option('--crops <n>', 'faces to calibrate on', integer('--crops', 32, 100_000), 256)
    .option('--held <n>', 'further faces that choose the method', integer('--held', 4, 1000), 24)
    .option('--json', 'print one JSON document', false)
    .action(run);
}

async function run(options: Options): Promise<void> {
  const model = await loadModel(options.model);
  const engine = await createEngine({ kind: 'onnxruntime', threads: 1 });
  const faces = await facesOf(model, options);
  const runner = new GraphRunner(engine);
  try {
    progress('quantising in every way …');
    const { calibrate, held } = faces;
    const chosen = await quantizeBest(
      model.graph,
      batchesOf(model, calibrate),
      inputsOf(model, held),
      runner.run,
    );
    const files = {
      [INT8_ONNX]: writeOnnxInt8(chosen.quantized),
      [INT8_TFLITE]: writeTfliteInt8(chosen.quantized),
      [INT8_SYMMETRIC]: writeOnnxSymmetric(chosen.quantized),
    };
    const layers = await reportLayers(chosen.quantized, inputsOf(model, held), runner.run);
    const quality = await measure(model, engine, files[INT8_ONNX], faces);
    const { best } = chosen;
    const table = { int8: { ...best, calibratedOn: calibrate.length, ...quality } };
    await addVariants(options.model, files, table);
    const sizes = Object.fromEntries(Object.entries(files).map(([name, { length }]) => [name, length])); // prettier-ignore
    const result = { model: model.manifest.name, files: sizes, ...table.int8, candidates: chosen.candidates, layers }; // prettier-ignore
    printResult(options.json, result, () => textOf(layers, result));
  } finally {
    await runner.close();
  }
}

interface Faces {
  readonly calibrate: readonly Uint8Array[];
  readonly held: readonly Uint8Array[];
  /** Labelled groups nothing was calibrated on; none without a labelled set. */
  readonly groups: readonly LabelledGroup[];
  /** Labelled groups that temperatures may be fitted to. */
  readonly validation: readonly LabelledGroup[];
}

async function facesOf(
  model: Model,
  { data, config, model: directory, crops, held }: Options,
): Promise<Faces> {
  if (data === undefined) {
    progress('finding faces …');
    const all = (await collectCrops(config, directory, crops + held)).map(({ crop }) => crop);
    const every = Math.max(2, Math.floor(all.length / held));
    return {
      calibrate: all.filter((_, i) => i % every !== 0),
      held: all.filter((_, i) => i % every === 0),
      groups: [],
      validation: [],
    };
  }
  const rendered = await openRendered(data);
  const set = renderedGroups(rendered, model.manifest.labels);
  const views = new Random(1)
    .shuffle(requireSplit(rendered, data, 'validation'))
    .slice(0, crops + held)
    .flatMap((index) => set.read(index).views.map(({ crop }) => crop));
  const read = (split: 'validation' | 'test'): LabelledGroup[] =>
    requireSplit(rendered, data, split).map((index) => set.read(index));
  const shuffled = new Random(2).shuffle(views);
  return {
    calibrate: shuffled.slice(held, held + crops),
    held: shuffled.slice(0, held),
    groups: read('test'),
    validation: read('validation'),
  };
}

interface Quality extends Nearness {
  readonly accuracyFp32: number;
  readonly accuracyInt8: number;
  /** Expected calibration error of a single view, with the package's own temperatures. */
  readonly eceFp32: number;
  readonly eceInt8: number;
  /** Fitted again to int8 embeddings of the validation people, and what that makes of the error. */
  readonly temperaturesInt8: readonly number[];
  readonly eceInt8Refitted: number;
  readonly views: number;
}

/** Float against int8 on labelled people: nearness of embeddings, what it does to what is made of them. */
async function measure(
  model: Model,
  engine: Engine,
  bytes: Uint8Array,
  { groups, validation }: Faces,
): Promise<Quality | undefined> {
  if (groups.length === 0) return undefined;
  progress('measuring …');
  const [float, int8] = [await engine.load(model.graph, 'fp32'), await engine.load(bytes, 'int8')];
  try {
    const views = groups.flatMap((group) => group.views);
    const expected = await embedViews(model, float, views);
    const got = await embedViews(model, int8, views);
    const [before, after] = [expected, got].map((all) => evaluate(model, embedded(groups, all))) as [Evaluation, Evaluation]; // prettier-ignore
    const held = embedded(validation, await embedViews(model, int8, validation.flatMap((group) => group.views))); // prettier-ignore
    const temperatures = fitTemperatures(held, model.head, model.manifest.temperatures.length);
    const refitted = createModel({ ...model.manifest, temperatures }, model);
    return {
      ...compareEmbeddings(model, views, expected, got),
      accuracyFp32: rounded(before.accuracy),
      accuracyInt8: rounded(after.accuracy),
      eceFp32: rounded(before.ece),
      eceInt8: rounded(after.ece),
      temperaturesInt8: temperatures.map(rounded),
      eceInt8Refitted: rounded(evaluate(refitted, embedded(groups, got)).ece),
      views: views.length,
    };
  } finally {
    await float.close();
    await int8.close();
  }
}

/** @param embeddings one a view, in the groups' order. */
function embedded(groups: readonly LabelledGroup[], embeddings: readonly Float32Array[]) {
  let next = 0;
  return groups.map((group) => ({
    ...group,
    views: group.views.map((view) => ({ ...view, embedding: embeddings[next++]! })),
  }));
}

function textOf(layers: readonly LayerReport[], result: object): string {
  const rows = layers.map(({ name, signalToNoiseDb, weightSignalToNoiseDb, low, high, clipped }) =>
    [
      name.padEnd(20),
      `${signalToNoiseDb.toFixed(1)} dB`.padStart(9),
      (weightSignalToNoiseDb === undefined ? '' : `${weightSignalToNoiseDb.toFixed(1)} dB`).padStart(9), // prettier-ignore
      `${low.toFixed(2)} … ${high.toFixed(2)}`.padStart(18),
      `${(clipped * 100).toFixed(3)} %`.padStart(9),
    ].join(' '),
  );
  const summary = Object.entries(result)
    .filter(([, value]) => typeof value !== 'object')
    .map(([name, value]) => `${name.padEnd(20)} ${String(value)}`);
  return ['layer                   signal   weights              range   clipped', ...rows, '', ...summary].join('\n'); // prettier-ignore
}
