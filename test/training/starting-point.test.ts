import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selectBackend } from '../../encoder/backend/backend.js';
import { views } from '../../encoder/formats/tfjs.js';
import { loadModel, type Model } from '../../encoder/index.js';
import { countParameters } from '../../encoder/network.js';
import { embedCrops } from '../../training/embed.js';
import { exportModel } from '../../training/export.js';
import { unpackFrame } from '../../training/geometry-frame.js';
import { createLearner, toNetwork } from '../../training/learner.js';
import { parseRecipe, type Recipe } from '../../training/recipe.js';
import { startingPoint } from '../../training/starting-point.js';
import { train, type LogEntry, type TrainingData } from '../../training/trainer.js';
import { toySet } from '../support/toy-set.js';

const set = toySet();
const everyone = Array.from({ length: set.size }, (_, i) => i);
const data: TrainingData = { set, train: everyone.slice(0, 24), validation: everyone.slice(24) };
const recipeOf = (changes: Record<string, unknown>): Recipe =>
  parseRecipe({
    stage: 'finetune',
    batch: { people: 3, captures: 2, views: 2 },
    warmupSteps: 1,
    average: 0.9,
    augmentation: { erase: 0 },
    ...changes,
  });

describe('a run that starts from a model package', () => {
  let folder: string;
  let model: Model;
  let lastLoss: number;
  const lossOf = async (run: string): Promise<number> => {
    const lines = (await readFile(join(folder, run, 'log.jsonl'), 'utf8')).trim().split('\n');
    return (JSON.parse(lines.at(-1)!) as LogEntry).terms['loss']!;
  };

  beforeAll(async () => {
    await selectBackend('onnxruntime');
    folder = await mkdtemp(join(tmpdir(), 'clmex-start-'));
    const recipe = recipeOf({ steps: 40, validateEvery: 5 });
    const checkpoint = await train({ recipe, data, directory: join(folder, 'first') });
    lastLoss = await lossOf('first');
    await exportModel({
      checkpoint, set, validation: data.validation, test: data.validation, name: 'toy',
      directory: join(folder, 'model'), provenance: {}, tableCommand: 'none',
    }); // prettier-ignore
    model = await loadModel(join(folder, 'model'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('has the very network of the package', async () => {
    const recipe = recipeOf({});
    const learner = createLearner(recipe, set.labels, { shapes: 0, blendshapes: 0, frontal: 0 });
    const { arrays } = await startingPoint({ model, learner, recipe, set, train: data.train });
    const { graph, head, geometry } = toNetwork(
      learner,
      recipe,
      arrays['meanParameters']!,
      arrays['meanStatistics']!,
      unpackFrame(arrays['frame']!),
    );
    for (const [i, layer] of model.graph.layers.entries()) {
      if (!('kernel' in layer)) continue;
      const folded = graph.layers[i] as typeof layer;
      expect(apart(folded.kernel.data, layer.kernel.data)).toBeLessThan(1e-5);
      expect(apart(folded.bias!.data, layer.bias!.data)).toBeLessThan(1e-5);
    }
    expect(apart(head.prototypes.data, model.head.prototypes.data)).toBeLessThan(1e-6);
    expect(head.query).toEqual(model.head.query);
    expect(head.viewBias).toEqual(model.head.viewBias);
    expect(geometry).toEqual(model.geometry);
  });

  it('can be exported with another share of landmarks, where it sees any', async () => {
    const trained = (run: string, geometry: boolean) =>
      train({ recipe: recipeOf({ steps: 1, geometry }), data, directory: join(folder, run) });
    const [checkpoint, flat] = [await trained('seeing', true), await trained('flat', false)];
    const options = {
      set, validation: data.validation, test: data.validation, name: 'toy',
      directory: join(folder, 'other'), provenance: {}, tableCommand: 'none', geometryShare: 0.3,
    }; // prettier-ignore
    await exportModel({ ...options, checkpoint });
    const { geometry, manifest } = await loadModel(options.directory);
    expect(geometry!.share).toBe(0.3);
    expect(manifest.training).toMatchObject({ geometryShare: 0.3 });
    await expect(exportModel({ ...options, checkpoint: flat })).rejects.toMatchObject({
      code: 'invalid-argument',
      field: '--geometry-share',
    });
  });

  it('goes on with the loss that the package had reached', async () => {
    const once = { steps: 1, learningRate: 1e-6 };
    await train({ recipe: recipeOf(once), data, directory: join(folder, 'fresh') });
    await train({ recipe: recipeOf(once), data, directory: join(folder, 'next'), from: model });
    const [fresh, next] = [await lossOf('fresh'), await lossOf('next')];
    expect(next - lastLoss).toBeLessThan(0.2 * (fresh - lastLoss));
  });

  it('keeps what the package knows of a label, whatever its place, and draws new labels anew', async () => {
    const other = toySet({ labels: ['high', 'other'] });
    const recipe = recipeOf({});
    const learner = createLearner(recipe, other.labels, { shapes: 0, blendshapes: 0, frontal: 0 });
    const { arrays } = await startingPoint({ model, learner, recipe, set: other, train: [0, 1, 2, 3] }); // prettier-ignore
    const { head } = toNetwork(learner, recipe, arrays['meanParameters']!, arrays['meanStatistics']!, undefined); // prettier-ignore
    const length = recipe.head.prototypesPerLabel * head.prototypes.shape[1]!;
    const [high, drawn] = [head.prototypes.data.slice(0, length), head.prototypes.data.slice(length)]; // prettier-ignore
    expect(apart(high, model.head.prototypes.data.subarray(2 * length))).toBeLessThan(1e-6);
    const fresh = toNetwork(learner, recipe, learner.initial, arrays['meanStatistics']!, undefined);
    expect(drawn).toEqual(fresh.head.prototypes.data.slice(length));
  });

  it('grows into a larger network that embeds as the package does and learns with all it has', async () => {
    const recipe = recipeOf({ network: 'base', steps: 2 });
    const learner = createLearner(recipe, set.labels, { shapes: 0, blendshapes: 0, frontal: 0 });
    const { arrays } = await startingPoint({ model, learner, recipe, set, train: data.train });
    const frame = unpackFrame(arrays['frame']!);
    const { graph } = toNetwork(learner, recipe, arrays['meanParameters']!, arrays['meanStatistics']!, frame); // prettier-ignore
    expect(countParameters(graph)).toBeGreaterThan(4 * countParameters(model.graph));
    const crops = everyone.slice(18).flatMap((i) => set.read(i).views.map(({ crop }) => crop));
    const [small, base] = [await embedCrops(model.graph, crops), await embedCrops(graph, crops)];
    for (const [i, embedding] of base.entries())
      expect(apart(embedding, small[i]!)).toBeLessThan(1e-4);

    const trained = await train({ recipe, data, directory: join(folder, 'grown'), from: model });
    const [before, after] = [arrays['meanParameters']!, trained.arrays['parameters']!].map(
      (parameters) => views(learner.encoder.slots, parameters),
    );
    const still = learner.encoder.slots
      .map(({ name }) => name)
      .filter((name) => apart(before!.get(name)!.data, after!.get(name)!.data) < 1e-5);
    expect(still).toEqual([]);
  });

  it('names the network that has no room for the package’s', async () => {
    const large = createLearner(recipeOf({ network: 'base' }), set.labels, { shapes: 0, blendshapes: 0, frontal: 0 }); // prettier-ignore
    const recipe = recipeOf({});
    const grown = { ...model, graph: large.encoder.graph };
    await expect(
      train({ recipe, data, directory: join(folder, 'x'), from: grown }),
    ).rejects.toMatchObject({ code: 'invalid-config', field: 'network' });
  });

  it.each([['geometry', { geometry: false }]])(
    'names the %s that is not the package’s',
    async (field, changes) => {
      await expect(
        train({ recipe: recipeOf(changes), data, directory: join(folder, 'x'), from: model }),
      ).rejects.toMatchObject({ code: 'invalid-config', field });
    },
  );
});

const apart = (a: Float32Array, b: Float32Array): number =>
  a.length === b.length
    ? a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)
    : Infinity;
