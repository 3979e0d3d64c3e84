import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { selectBackend } from '../../encoder/backend/backend.js';
import { readDrawn } from '../../training/batch.js';
import { loadCheckpoint } from '../../training/checkpoint.js';
import { fitGeometryFrame } from '../../training/geometry-frame.js';
import { createLearner } from '../../training/learner.js';
import { startDifferentiator } from '../../training/parallel/differentiator.js';
import { shareOut } from '../../training/parallel/messages.js';
import { parseRecipe, type Recipe } from '../../training/recipe.js';
import { balancedSampler, stepRandom } from '../../training/sampler.js';
import { train, type TrainingData } from '../../training/trainer.js';
import { descendantsOf } from '../support/cli.js';
import { toySet } from '../support/toy-set.js';

const PREDICTED = { shapes: 3, blendshapes: 2, frontal: 2 };
const set = toySet(PREDICTED);
const everyone = Array.from({ length: set.size }, (_, i) => i);
const data: TrainingData = { set, train: everyone.slice(0, 24), validation: everyone.slice(30) };
const workerScript = pathToFileURL(resolve('dist/training-worker.js'));

const recipeOf = (changes: Record<string, unknown>): Recipe =>
  parseRecipe({
    stage: 'finetune',
    backend: 'wasm',
    workers: 2,
    batch: { people: 3, captures: 2, views: 3 },
    shapes: 0.1,
    frontal: 0.3,
    geometry: true,
    warmupSteps: 2,
    ...changes,
  });

const few = { batch: { people: 2, captures: 2, views: 1 } };

/** Largest difference, relative to the largest value. */
const apart = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0) /
  b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describe('training over worker processes', () => {
  let folder: string;
  beforeAll(() => selectBackend('wasm'));
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clmex-parallel-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it.each([
    // Draws without an activation so near ReLU's corner that the order of sums decides its side.
    ['cross-entropy and contrast', 2, { stage: 'finetune', seed: 2 }],
    ['three terms of contrast', 3, { stage: 'pretrain', seed: 3, contrastive: { kind: 'viewfx' } }],
  ])('gives the gradient of one process: %s, %i workers', async (_, workers, changes) => {
    const recipe = recipeOf({ ...changes, workers });
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
    const one = await startDifferentiator({ ...task, recipe: { ...recipe, workers: 1 } });
    const alone = await one.differentiate(learner.initial, 0);
    const parallel = await startDifferentiator(task);
    try {
      const shared = await parallel.differentiate(learner.initial, 0);
      expect(shared.rows).toBe(18);
      expect(shared.terms['loss']).toBeCloseTo(alone.terms['loss']!, 4);
      expect(Object.keys(shared.terms)).toEqual(Object.keys(alone.terms));
      expect(apart(shared.gradient, alone.gradient)).toBeLessThan(1e-4);
      expect(apart(shared.statistics, alone.statistics)).toBeLessThan(1e-5);
      const again = await parallel.differentiate(learner.initial, 0);
      expect(again.gradient).toEqual(shared.gradient);
    } finally {
      await parallel.close();
    }
  });

  it('goes on after an interruption with the very numbers of an unbroken run', async () => {
    const recipe = recipeOf({ ...few, stage: 'pretrain', steps: 2, validateEvery: 1 });
    const whole = await train({ recipe, data, directory: join(folder, 'whole'), workerScript });
    const stop = new AbortController();
    const directory = join(folder, 'broken');
    const onProgress = (): void => stop.abort();
    const first = await train({ recipe, data, directory, workerScript, signal: stop.signal, onProgress }); // prettier-ignore
    expect(first.step).toBe(1);
    const resumed = await train({ recipe, data, directory, workerScript, resume: true });
    expect(resumed.arrays).toEqual(whole.arrays);
    expect(descendantsOf(process.pid).filter(({ command }) => command === 'node')).toEqual([]);
  });

  it('says that a worker died, with the step saved', async () => {
    const recipe = recipeOf({ ...few, steps: 200, validateEvery: 1 });
    const onProgress = (): void => {
      const [worker] = descendantsOf(process.pid).filter(({ command }) => command === 'node');
      process.kill(worker!.pid, 'SIGKILL');
    };
    const error = await train({ recipe, data, directory: folder, workerScript, onProgress }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'engine-failed', field: 'step 1' });
    expect(String(error)).toMatch(/worker has ended.*SIGKILL.*the last good step is saved/);
    expect((await loadCheckpoint(join(folder, 'checkpoint.bin'))).step).toBe(1);
    expect(await readFile(join(folder, 'log.jsonl'), 'utf8')).toContain('"step":1');
    expect(descendantsOf(process.pid).filter(({ command }) => command === 'node')).toEqual([]);
  });

  it('is refused on backends that are not the CPU, by name', async () => {
    const recipe = { ...recipeOf({}), backend: 'webgpu' as const };
    await expect(train({ recipe, data, directory: folder, workerScript })).rejects.toMatchObject({
      code: 'invalid-config',
      field: 'workers',
    });
  });

  it('shares out whole groups, and leaves workers idle where groups are few', () => {
    const random = stepRandom(1, 0);
    const groups = readDrawn(set, [{ group: 0, views: [0, 1, 2] }, { group: 1, views: [0] }, { group: 2, views: [0, 1] }], random); // prettier-ignore
    expect(shareOut(groups, 2).map((share) => share.length)).toEqual([1, 2]);
    expect(shareOut(groups, 8).flat()).toEqual(groups);
    expect(shareOut(groups, 8)).toHaveLength(3);
  });
});
