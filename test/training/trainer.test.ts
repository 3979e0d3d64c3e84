import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { selectBackend } from '../../encoder/backend/backend.js';
import { loadModel } from '../../encoder/index.js';
import { packNetwork, unpackNetwork } from '../../encoder/archive.js';
import type { Conv2d, Layer } from '../../encoder/graph.js';
import { joinView } from '../../encoder/view.js';
import { blend } from '../../training/blend.js';
import { loadCheckpoint, type Checkpoint } from '../../training/checkpoint.js';
import { writeCurves } from '../../training/curves.js';
import { embedCrops } from '../../training/embed.js';
import { evaluate } from '../../training/evaluate.js';
import { exportModel, networkOf } from '../../training/export.js';
import { parseRecipe, type Recipe } from '../../training/recipe.js';
import { train, type LogEntry, type TrainingData } from '../../training/trainer.js';
import { toySet } from '../support/toy-set.js';

const set = toySet({ shapes: 3 });
const people = (...numbers: number[]): number[] =>
  Array.from({ length: set.size }, (_, i) => i).filter((i) =>
    numbers.includes(Number(set.info(i).personId.slice(-1))),
  );
const data: TrainingData = { set, train: people(0, 1, 2, 3), validation: people(4) };

const recipeOf = (changes: Record<string, unknown>): Recipe =>
  parseRecipe({
    batch: { people: 3, captures: 2, views: 2 },
    warmupSteps: 2,
    average: 0.9,
    augmentation: { flip: true, erase: 0 },
    validateEvery: 5,
    saveEvery: 5,
    ...changes,
  });

/** What a run measured, oldest first. */
const logOf = async (directory: string): Promise<LogEntry[]> =>
  (await readFile(join(directory, 'log.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogEntry);

describe('training', () => {
  let folder: string;
  beforeAll(() => selectBackend('wasm'));
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clmex-train-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('learns with weights and activations rounded where the recipe says so', async () => {
    const lossOf = async (name: string, quantiseAware: boolean): Promise<number> => {
      const directory = join(folder, name);
      const recipe = recipeOf({ stage: 'finetune', backend: 'wasm', steps: 5, quantiseAware });
      await train({ recipe, data, directory });
      const [first] = await logOf(directory);
      return first!.terms['loss']!;
    };
    const [float, rounded] = [await lossOf('float', false), await lossOf('rounded', true)];
    expect(rounded).not.toBe(float);
    expect(Math.abs(rounded - float)).toBeLessThan(0.2 * float);
  });

  it('learns to tell the labels of people it never saw, and writes what it measured', async () => {
    const directory = join(folder, 'fine');
    const recipe = recipeOf({ stage: 'finetune', steps: 40, validateEvery: 20, shapes: 0.1 });
    const before = tf.memory().numTensors;
    const checkpoint = await train({ recipe, data, directory });
    expect(tf.memory().numTensors).toBe(before);
    const log = await logOf(directory);
    expect(log.map(({ step }) => step)).toEqual([20, 40]);
    expect(log[1]!.terms['loss']).toBeLessThan(log[0]!.terms['loss']!);
    await writeCurves(directory);
    expect(await readFile(join(directory, 'curves.svg'), 'utf8')).toContain('validation fused');

    const viewsOf = (indices: readonly number[]) =>
      indices.flatMap((i) => set.read(i).views).length;
    const embedded: [views: number, of: number][] = [];
    const table = await exportModel({
      checkpoint, set, validation: people(4), test: people(5), name: 'toy', directory: join(folder, 'model'),
      provenance: { data: 'toy' }, tableCommand: 'none', onEmbedded: (...now) => embedded.push(now),
    }); // prettier-ignore
    const finished = embedded.filter(([views, of]) => views === of).map(([views]) => views);
    expect(finished).toEqual([viewsOf(people(4)), viewsOf(people(5))]);
    expect(table.balancedAccuracy).toBeGreaterThan(0.6);
    const model = await loadModel(join(folder, 'model'));
    expect(model.manifest).toMatchObject({
      labels: ['low', 'middle', 'high'],
      training: { data: 'toy', steps: 40 },
    });
    expect(model.manifest.temperatures).toHaveLength(8);
    expect(await readdir(folder)).toEqual(['fine', 'model']);
  });

  it('says of a single watched view what it can tell, and draws it', async () => {
    const few = toySet({ people: 2, captures: 3, views: 1 });
    const recipe = recipeOf({ stage: 'finetune', steps: 1, batch: { people: 1, captures: 2, views: 1 } }); // prettier-ignore
    await train({ recipe, data: { set: few, train: [0, 1, 2], validation: [3] }, directory: folder }); // prettier-ignore
    const [last] = await logOf(folder);
    expect(Object.keys(last!.validation!)).toEqual(['loss', 'single', 'fused', 'fusedAccuracy']);
    expect(Object.values(last!.validation!).every(Number.isFinite)).toBe(true);
    await writeCurves(folder);
    expect(await readFile(join(folder, 'curves.svg'), 'utf8')).not.toMatch(/NaN|Infinity/);
  });

  it('teaches the geometry stream what a blendshape model reads, and goes on with it', async () => {
    const [directory, next] = [join(folder, 'taught'), join(folder, 'next')];
    const taught = { ...data, set: toySet({ blendshapes: 3 }) };
    const recipe = recipeOf({
      stage: 'finetune', steps: 100, validateEvery: 25, learningRate: 0.01, blendshapes: 5,
      augmentation: { flip: false, geometryNoise: 0, geometryDrop: 0 },
    }); // prettier-ignore
    const checkpoint = await train({ recipe, data: taught, directory });
    const errors = (await logOf(directory)).map(({ terms }) => terms['blendshapes']!);
    expect(errors).toHaveLength(4);
    // Four people at −1, −2/3, −1/3 and 0: a mean for everybody would err by their variance, 5/36.
    expect(errors[3]).toBeLessThan(0.5 * (5 / 36));
    expect(checkpoint).toMatchObject({ blendshapes: 3, shapes: 0 });
    expect(
      networkOf(await loadCheckpoint(join(directory, 'checkpoint.bin'))).geometry,
    ).toBeDefined();
    const goesOn = await train({
      recipe: recipeOf({ stage: 'finetune', steps: 2, blendshapes: 0 }),
      data: taught,
      directory: next,
      from: checkpoint,
    });
    expect(goesOn.blendshapes).toBe(3);
    const [first] = await logOf(next);
    expect(first!.terms).not.toHaveProperty('blendshapes');
  });

  it('teaches every view what a blendshape model reads in the most frontal one', async () => {
    const directory = join(folder, 'frontal');
    const taught = { ...data, set: toySet({ frontal: 3 }) };
    const recipe = recipeOf({
      stage: 'pretrain', steps: 60, validateEvery: 20, learningRate: 0.01, frontal: 3,
    }); // prettier-ignore
    const checkpoint = await train({ recipe, data: taught, directory });
    const errors = (await logOf(directory)).map(({ terms }) => terms['frontal']!);
    expect(errors).toHaveLength(3);
    // Labels at −1, 0 and 1: a mean for all would err by their variance, 2/3.
    expect(errors[2]).toBeLessThan(0.5 * (2 / 3));
    expect(checkpoint).toMatchObject({ frontal: 3, blendshapes: 0, shapes: 0 });
  });

  it('starts from a run that had a teacher without one, and the other way round', async () => {
    const untouched = {
      stage: 'finetune',
      steps: 1,
      learningRate: 1e-9,
      validateEvery: 1,
    } as const;
    const taught = { ...data, set: toySet({ blendshapes: 3 }) };
    const started = (name: string, from: Checkpoint, learnsFrom: TrainingData) =>
      train({ recipe: recipeOf(untouched), data: learnsFrom, from, directory: join(folder, name) });
    const first = await train({
      recipe: recipeOf({ stage: 'finetune', steps: 20 }), data: taught, directory: join(folder, 'teacher'),
    }); // prettier-ignore
    const without = await started('without', first, data);
    const again = await started('again', without, taught);
    expect([first, without, again].map(({ blendshapes }) => blendshapes)).toEqual([3, 0, 3]);
    const [head, next, last] = [first, without, again].map((one) => networkOf(one).head.prototypes);
    for (const [i, value] of head!.data.entries()) {
      expect(next!.data[i]).toBeCloseTo(value, 5);
      expect(last!.data[i]).toBeCloseTo(value, 5);
    }
  });

  it('exports with the table that an evaluation of these people in their order gives, subsets of views and all', async () => {
    const wide = toySet({ views: 5 });
    const recipe = recipeOf({ stage: 'finetune', steps: 3, shapes: 0 });
    const training = { ...data, set: wide };
    const checkpoint = await train({ recipe, data: training, directory: join(folder, 'wide') });
    const test = people(2, 5);
    const table = await exportModel({
      checkpoint, set: wide, validation: people(4), test, name: 'toy', directory: join(folder, 'model'),
      provenance: {}, tableCommand: 'none',
    }); // prettier-ignore
    const { graph, geometry } = networkOf(checkpoint);
    const groups = test.map((index) => wide.read(index));
    const crops = groups.flatMap(({ views }) => views.map(({ crop }) => crop));
    const answers = await embedCrops(graph, crops);
    const embedded = groups.map((group) => ({
      ...group,
      views: group.views.map((view) => ({
        ...view,
        embedding: joinView(answers.shift()!, geometry, view.landmarks),
      })),
    }));
    expect(evaluate(await loadModel(join(folder, 'model')), embedded)).toEqual(table);
  });

  it('goes on after an interruption with the very numbers of an unbroken run', async () => {
    const recipe = recipeOf({
      stage: 'pretrain',
      steps: 5,
      validateEvery: 3,
      saveEvery: 3,
      contrastive: { kind: 'viewfx' },
    });
    const whole = await train({ recipe, data, directory: join(folder, 'whole') });
    const stop = new AbortController();
    const directory = join(folder, 'broken');
    const interrupted = await train({
      recipe,
      data,
      directory,
      signal: stop.signal,
      onProgress: () => stop.abort(),
    });
    expect(interrupted.step).toBe(3);
    await writeFile(join(directory, 'log.jsonl'), '{"step":3}\n{"step":4}\n{"st');
    const resumed = await train({ recipe, data, directory, resume: true });
    expect(resumed.step).toBe(5);
    expect(resumed.arrays).toEqual(whole.arrays);
    expect((await logOf(directory)).map(({ step }) => step)).toEqual([3, 5]);
  });

  it('stops at the step whose loss is not finite, and keeps the last good one', async () => {
    const recipe = recipeOf({
      stage: 'pretrain',
      steps: 30,
      learningRate: 1e30,
      optimiser: { kind: 'sgd' },
    });
    const directory = join(folder, 'nan');
    const error = await train({ recipe, data, directory }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'engine-failed' });
    const { step } = await loadCheckpoint(join(directory, 'checkpoint.bin'));
    expect((error as { field: string }).field).toBe(`step ${step}`);
  });

  it('blends the weights of two networks of one structure, and refuses another', async () => {
    const recipe = recipeOf({ stage: 'finetune', steps: 1 });
    const checkpoint = await train({ recipe, data, directory: join(folder, 'a') });
    const run = networkOf(checkpoint);
    const [first, ...rest] = run.graph.layers as [Conv2d, ...Layer[]];
    const tripled = { ...first, kernel: { ...first.kernel, data: first.kernel.data.map((x) => 3 * x) } };
    const other = { ...run, graph: { ...run.graph, layers: [tripled, ...rest] } };
    const mixed = blend(run, unpackNetwork(packNetwork(other)), 0.75);
    const kernel = (mixed.graph.layers[0] as Conv2d).kernel.data;
    for (const [i, value] of kernel.entries()) expect(value).toBeCloseTo(1.5 * first.kernel.data[i]!, 5);
    for (const [i, layer] of rest.entries()) if ('kernel' in layer) expect((mixed.graph.layers[i + 1] as Conv2d).kernel.data).toEqual(layer.kernel.data);
    expect(mixed.head.query).toEqual(run.head.query);
    expect(() => blend(run, { ...run, geometry: undefined }, 0.5)).toThrow(/different networks/);
  }); // prettier-ignore

  it('refuses a checkpoint of another architecture, a changed recipe and a damaged file', async () => {
    const recipe = recipeOf({ stage: 'pretrain', steps: 1 });
    const directory = join(folder, 'run');
    const checkpoint = await train({ recipe, data, directory });
    const wider = recipeOf({ stage: 'finetune', steps: 1, head: { prototypesPerLabel: 2 } });
    await expect(
      train({ recipe: wider, data, directory: join(folder, 'b'), from: checkpoint }),
    ).rejects.toMatchObject({ code: 'invalid-file', field: 'checkpoint' });
    await expect(
      train({ recipe: { ...recipe, seed: 9 }, data, directory, resume: true }),
    ).rejects.toMatchObject({ code: 'invalid-config', field: 'seed' });
    await expect(
      train({ recipe, data: { ...data, train: people(0, 1, 2) }, directory, resume: true }),
    ).rejects.toMatchObject({ code: 'invalid-argument', field: 'data' });
    const path = join(directory, 'checkpoint.bin');
    const bytes = await readFile(path);
    await writeFile(path, Buffer.concat([Buffer.from('CLMEXCP1'), bytes.subarray(8)]));
    await expect(loadCheckpoint(path)).rejects.toThrow(/no checkpoint of this version/);
    await writeFile(path, bytes.subarray(0, bytes.length - 5));
    await expect(loadCheckpoint(path)).rejects.toMatchObject({ code: 'invalid-file', value: path });
  });

  it('needs two people to contrast and two labels to tell apart', async () => {
    const one = { ...data, train: people(0) };
    await expect(
      train({ recipe: recipeOf({ stage: 'pretrain' }), data: one, directory: folder }),
    ).rejects.toThrow(/two people/);
    const same = { ...data, train: people(0, 1).filter((i) => set.info(i).label === 0) };
    await expect(
      train({ recipe: recipeOf({ stage: 'finetune' }), data: same, directory: folder }),
    ).rejects.toThrow(/two labels/);
  });
});

describe('a recipe', () => {
  it('names the field that is wrong', () => {
    expect(() => parseRecipe({ stage: 'pretrain', batch: { views: 0 } })).toThrow(/batch\.views/);
    expect(() => parseRecipe({ stage: 'sleep' })).toThrow(/stage/);
    expect(() => parseRecipe({ stage: 'pretrain', learninRate: 1 })).toThrow(
      /^learninRate: is not a field of the recipe \(given: 1\)\. Allowed: .*recipe\.schema\.json/,
    );
    expect(() => parseRecipe({ stage: 'pretrain', network: 'huge' })).toThrow(/small, base/);
  });
});
