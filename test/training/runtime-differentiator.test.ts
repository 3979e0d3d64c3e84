import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { selectBackend } from '../../encoder/backend/backend.js';
import { EncoderPasses, type TrainingProvider } from '../../encoder/backend/onnxruntime.js';
import { trainable } from '../../encoder/formats/tfjs.js';
import type { Graph } from '../../encoder/graph.js';
import { buildNetwork } from '../../encoder/network.js';
import { Random } from '../../encoder/random.js';
import { readDrawn } from '../../training/batch.js';
import { loadCheckpoint } from '../../training/checkpoint.js';
import { fitGeometryFrame } from '../../training/geometry-frame.js';
import { createLearner } from '../../training/learner.js';
import { startDifferentiator } from '../../training/parallel/differentiator.js';
import { parseRecipe, type Recipe } from '../../training/recipe.js';
import { balancedSampler, stepRandom } from '../../training/sampler.js';
import { train, type TrainingData } from '../../training/trainer.js';
import { toySet } from '../support/toy-set.js';
import { Cli, descendantsOf } from '../support/cli.js';
import { itWithVulkan } from '../support/vulkan.js';

const ON_CPU = { threads: 1, provider: 'cpu' } as const;
const PREDICTED = { shapes: 3, blendshapes: 2, frontal: 2 };
const set = toySet(PREDICTED);
const everyone = Array.from({ length: set.size }, (_, i) => i);
const data: TrainingData = { set, train: everyone.slice(0, 24), validation: everyone.slice(30) };

const recipeOf = (changes: Record<string, unknown>): Recipe =>
  parseRecipe({
    stage: 'finetune',
    batch: { people: 3, captures: 2, views: 3 },
    shapes: 0.1,
    frontal: 0.3,
    warmupSteps: 2,
    ...changes,
  });

const workerScript = pathToFileURL(resolve('dist/training-worker.js'));

const apart = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0) /
  b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

const gradientOf = async (recipe: Recipe) => {
  const learner = createLearner(recipe, set.labels, PREDICTED);
  const random = stepRandom(recipe.seed, 0);
  const groups = readDrawn(set, balancedSampler(set, everyone, recipe.batch)(random), random);
  const frame = fitGeometryFrame(set, everyone);
  const task = {
    learner,
    recipe,
    frame,
    labels: set.labels,
    predicted: PREDICTED,
    draw: () => groups,
    script: workerScript,
  };
  const differentiator = await startDifferentiator(task);
  try {
    const once = await differentiator.differentiate(learner.initial, 0);
    const again = await differentiator.differentiate(learner.initial, 1);
    return { ...once, again: again.gradient };
  } finally {
    await differentiator.close();
  }
};

describe('training in ONNX Runtime', () => {
  let folder: string;
  beforeAll(() => selectBackend('onnxruntime'));
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clmex-runtime-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it.each([
    ['the small network, cross-entropy and contrast', { seed: 2 }],
    ['the small network, three terms of contrast', { stage: 'pretrain', seed: 3, contrastive: { kind: 'viewfx' } }],
    ['the base network', { network: 'base', seed: 4 }],
    ['on two threads', { workers: 2, seed: 2 }],
  ])('gives the gradient that TensorFlow.js gives: %s', async (_, changes) => {
    const expected = await gradientOf(recipeOf({ ...changes, backend: 'wasm', workers: 1 }));
    const got = await gradientOf(recipeOf({ ...changes, backend: 'onnxruntime' }));
    expect(got.rows).toBe(expected.rows);
    expect(got.terms['loss']).toBeCloseTo(expected.terms['loss']!, 4);
    expect(apart(got.gradient, expected.gradient)).toBeLessThan(1e-4);
    expect(apart(got.statistics, expected.statistics)).toBeLessThan(1e-5);
    expect(got.again).toEqual(got.gradient);
  }); // prettier-ignore

  it('goes on after an interruption with the very numbers of an unbroken run', async () => {
    const recipe = recipeOf({ batch: { people: 2, captures: 2, views: 1 }, steps: 2, validateEvery: 1 });
    expect(recipe.backend).toBe('onnxruntime');
    const whole = await train({ recipe, data, directory: join(folder, 'whole') });
    const stop = new AbortController();
    const directory = join(folder, 'broken');
    const first = await train({ recipe, data, directory, signal: stop.signal, onProgress: () => stop.abort() });
    expect(first.step).toBe(1);
    const resumed = await train({ recipe, data, directory, resume: true });
    expect(resumed.arrays).toEqual(whole.arrays);
  }); // prettier-ignore

  it('augments beside itself on several threads, and says where that process has died, with the step saved', async () => {
    const recipe = recipeOf({ batch: { people: 2, captures: 2, views: 1 }, workers: 2, steps: 200, validateEvery: 1 });
    const helpers = () => descendantsOf(process.pid).filter(({ command }) => command === 'node');
    const onProgress = (): void => {
      // The batch after this one may be there already.
      for (const { pid } of helpers()) process.kill(pid, 'SIGKILL');
    };
    const error = await train({ recipe, data, directory: folder, workerScript, onProgress }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'engine-failed' });
    expect(String(error)).toMatch(/worker has ended.*SIGKILL.*the last good step is saved/);
    expect((await loadCheckpoint(join(folder, 'checkpoint.bin'))).step).toBeGreaterThan(0);
    expect(helpers()).toEqual([]);
  }); // prettier-ignore

  it('refuses to round as int8 does, and says what can', async () => {
    await expect(gradientOf(recipeOf({ quantiseAware: true }))).rejects.toMatchObject({
      code: 'invalid-config',
      field: 'quantiseAware',
    });
  });

  it('refuses a provider beside another backend', async () => {
    const recipe = recipeOf({ backend: 'wasm', provider: 'webgpu' });
    await expect(gradientOf(recipe)).rejects.toMatchObject({
      code: 'invalid-config',
      field: 'provider',
    });
  });

  it('names a layer that it cannot train', async () => {
    const graph: Graph = {
      name: 'other',
      inputs: [{ name: 'x', shape: [1, 4, 4, 1] }],
      outputs: [{ name: 'mean', shape: [1, 1] }],
      layers: [{ kind: 'globalAveragePool', name: 'mean', inputs: ['x'] }],
    };
    await expect(EncoderPasses.load(trainable(graph, { batchNorm: true }), ON_CPU)).rejects.toMatchObject({
      code: 'unsupported',
      field: 'mean',
    });
  }); // prettier-ignore

  itWithVulkan(
    'gives the same gradients on a GPU’s driver, without handing anything over',
    async () => {
      const spec = {
        name: 'tiny',
        size: 8,
        widths: [4, 8],
        blocks: [0, 1],
        squeeze: 4,
        embedding: 8,
      };
      const encoder = trainable(buildNetwork(spec, 5), { batchNorm: true });
      const random = new Random(6);
      const [images, towards] = [3 * 8 * 8, 3 * 8].map((length) =>
        Float32Array.from({ length }, () => random.normal()),
      );
      const passesOf = async (provider: TrainingProvider) => {
        const passes = await EncoderPasses.load(encoder, { threads: 1, provider });
        const embeddings = await passes.forward(encoder.initial, images!, 3);
        const back = await passes.backward(towards!);
        await passes.close();
        return { embeddings: embeddings.slice(), ...back };
      };
      const [cpu, gpu] = [await passesOf('cpu'), await passesOf('webgpu')];
      expect(apart(gpu.embeddings, cpu.embeddings)).toBeLessThan(1e-5);
      expect(apart(gpu.gradient, cpu.gradient)).toBeLessThan(1e-5);
      expect(apart(gpu.statistics, cpu.statistics)).toBeLessThan(1e-5);
    },
    60_000,
  );

  it('says so where there is no GPU', async () => {
    const nothing = { VK_DRIVER_FILES: '/nowhere.json', VK_ICD_FILENAMES: '/nowhere.json' };
    const { code, stderr } = await new Cli(['bench', 'train', '--provider', 'webgpu'], nothing)
      .finished;
    expect(code).toBe(1);
    expect(stderr).toContain('provider');
    expect(stderr).toContain('Vulkan');
  });

  it('goes back only over a batch that went forward', async () => {
    const { encoder } = createLearner(recipeOf({}), set.labels, {
      shapes: 0,
      blendshapes: 0,
      frontal: 0,
    });
    const passes = await EncoderPasses.load(encoder, ON_CPU);
    const images = new Float32Array(2 * 64 * 64).fill(0.5);
    await passes.forward(encoder.initial, images, 2);
    await passes.backward(new Float32Array(2 * 128));
    await expect(passes.backward(new Float32Array(2 * 128))).rejects.toMatchObject({
      code: 'invalid-argument',
    });
    await passes.close();
  });
});
