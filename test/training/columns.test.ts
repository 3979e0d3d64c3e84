import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selectBackend } from '../../encoder/backend/backend.js';
import { writeOnnx } from '../../encoder/formats/onnx.js';
import { fuseViews } from '../../encoder/fusion.js';
import { loadModel, type Network } from '../../encoder/index.js';
import { countParameters } from '../../encoder/network.js';
import { loadEncoder } from '../../runtime/engine/encoder.js';
import { sideBySide } from '../../training/columns.js';
import { embedCrops } from '../../training/embed.js';
import { exportModel, networkOf } from '../../training/export.js';
import { parseRecipe } from '../../training/recipe.js';
import { train, type TrainingData } from '../../training/trainer.js';
import { embedGroups } from '../../training/validate.js';
import type { Checkpoint } from '../../training/checkpoint.js';
import { toySet } from '../support/toy-set.js';

const set = toySet();
const everyone = Array.from({ length: set.size }, (_, i) => i);
const data: TrainingData = { set, train: everyone.slice(0, 24), validation: everyone.slice(24) };
const views = data.validation.flatMap((index) => set.read(index).views);

describe('networks side by side', () => {
  let folder: string;
  let runs: Checkpoint[];
  let networks: Network[];
  const trained = (seed: number): Promise<Checkpoint> => {
    const recipe = parseRecipe({
      stage: 'finetune',
      seed,
      steps: 30,
      batch: { people: 3, captures: 2, views: 2 },
      warmupSteps: 1,
      average: 0.9,
      augmentation: { erase: 0 },
    });
    return train({ recipe, data, directory: join(folder, `run-${seed}`) });
  };
  /** Label logits of every validation view alone. */
  const logitsOf = async (network: Network): Promise<number[][]> => {
    const groups = await embedGroups(set, data.validation, Infinity, network);
    return groups.flatMap((group) =>
      group.views.map((view) => fuseViews(network.head, [view.embedding], [view]).logits),
    );
  };
  const furthest = (one: number[][], other: number[][]): number =>
    Math.max(...one.flatMap((row, i) => row.map((value, k) => Math.abs(value - other[i]![k]!))));

  beforeAll(async () => {
    await selectBackend('onnxruntime');
    folder = await mkdtemp(join(tmpdir(), 'clmex-columns-'));
    runs = [await trained(1), await trained(2)];
    networks = runs.map(networkOf);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('say of a network beside itself what it says alone, whatever the weights', async () => {
    const alone = networks[0]!;
    const twice = await sideBySide([{ network: alone, weight: 3 }, { network: alone, weight: 1 }], views); // prettier-ignore
    expect(furthest(await logitsOf(twice), await logitsOf(alone))).toBeLessThan(1e-3);
  });

  it('say nearly the weighted mean of what each says alone, and all of it where one has all the weight', async () => {
    const [first, second] = await Promise.all(networks.map(logitsOf)) as [number[][], number[][]]; // prettier-ignore
    const columns = (weight: number) => [
      { network: networks[0]!, weight },
      { network: networks[1]!, weight: 1 },
    ];
    const mean = first.map((row, i) => row.map((value, k) => 0.75 * value + 0.25 * second[i]![k]!));
    const apart = furthest(first, second);
    expect(apart).toBeGreaterThan(1);
    // A column's answers are not equally long in every view, so its weight is met on average.
    expect(furthest(await logitsOf(await sideBySide(columns(3), views)), mean)).toBeLessThan(0.2 * apart); // prettier-ignore
    expect(furthest(await logitsOf(await sideBySide(columns(1e6), views)), first)).toBeLessThan(0.01 * apart); // prettier-ignore
  });

  it('are one graph with all their parameters, whose answer is one unit vector', async () => {
    const { graph } = await sideBySide(networks.map((network) => ({ network, weight: 1 })), views); // prettier-ignore
    expect(writeOnnx(graph).byteLength).toBeGreaterThan(4 * countParameters(graph));
    const [own] = networks as [Network];
    const dense = 2 * (128 * 512 + 128);
    expect(countParameters(graph)).toBe(2 * countParameters(own.graph) + dense);
    const [answers] = await embedCrops(graph, [views[0]!.crop]);
    expect(answers).toHaveLength(2 * 2 * 128);
    expect(Math.hypot(...answers!.subarray(0, 256))).toBeCloseTo(1, 5);
  });

  it('travel in a package that measures what was exported, and runs', async () => {
    const table = await exportModel({
      checkpoint: runs[0]!, set, validation: data.validation, test: data.validation, name: 'two',
      directory: join(folder, 'model'), provenance: {}, tableCommand: 'none',
      beside: [{ network: networks[1]!, weight: 2 }],
    }); // prettier-ignore
    const model = await loadModel(join(folder, 'model'));
    expect(model.head.columns).toEqual([1 / 3, 2 / 3]);
    const logits = await logitsOf(model);
    const labels = data.validation.flatMap((i) => set.read(i).views.map(() => set.info(i).label));
    const right = logits.filter((row, i) => row.indexOf(Math.max(...row)) === labels[i]).length;
    expect(right / labels.length).toBeCloseTo(table.accuracy, 6);
    const { session } = await loadEncoder(model, { kind: 'onnxruntime', threads: 1 }, folder);
    const input = new Float32Array(2 * 64 * 64);
    model.prepare(views[0]!.crop, input);
    const outputs = await session.run({ crop: { data: input, shape: [2, 64, 64, 1] } });
    await session.close();
    const [answers] = await embedCrops(model.graph, [views[0]!.crop]);
    const difference = outputs['embedding']!.data.map((value, i) => Math.abs(value - answers![i]!)); // prettier-ignore
    expect(Math.max(...difference)).toBeLessThan(1e-4);
  });

  it('have to fit: heads, weights, landmarks, and no columns within columns', async () => {
    const [own, other] = networks as [Network, Network];
    const joined = await sideBySide(networks.map((network) => ({ network, weight: 1 })), views); // prettier-ignore
    const beside = (network: Network, weight = 1) =>
      sideBySide([{ network: own, weight: 1 }, { network, weight }], views); // prettier-ignore
    await expect(sideBySide([], views)).rejects.toMatchObject({ field: 'columns', value: 0 });
    await expect(beside(other, 0)).rejects.toMatchObject({ field: 'weight', value: 0 });
    await expect(beside(joined)).rejects.toMatchObject({
      field: 'head.columns',
      code: 'invalid-argument',
    });
    await expect(beside({ ...other, geometry: undefined })).rejects.toMatchObject({ field: 'geometry' }); // prettier-ignore
    const scaled = { ...other, head: { ...other.head, scale: 7 } };
    await expect(beside(scaled)).rejects.toMatchObject({ field: 'head' });
  });
});
