import { createHash } from 'node:crypto';
import { appendFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClmexError } from '../core/errors.js';
import type { Model } from '../encoder/model.js';
import { readDrawn, type SeededGroup } from './batch.js';
import { loadCheckpoint, saveCheckpoint, type Checkpoint, type Learned } from './checkpoint.js';
import type { GroupSet } from './dataset/groups.js';
import { fitGeometryFrame, packFrame, unpackFrame, type GeometryFrame } from './geometry-frame.js';
import {
  carriedOver, createLearner, predictedBy, toNetwork,
  type Learner, type Predicted,
} from './learner.js'; // prettier-ignore
import { adamW, cosineSchedule, momentumSgd, type Optimiser } from './optimise/optimiser.js';
import { startDifferentiator, type Differentiator } from './parallel/differentiator.js';
import type { Recipe } from './recipe.js';
import { balancedSampler, peopleSampler, stepRandom, type Sampler } from './sampler.js';
import { startingPoint } from './starting-point.js';
import { embedGroups, validateEmbeddings, validateHead, type Validation } from './validate.js';

const STATISTICS_DECAY = 0.95;
const VALIDATION_GROUPS = 100;
const CHECKPOINT = 'checkpoint.bin';
const LOG = 'log.jsonl';

/** One line of `log.jsonl`. */
export interface LogEntry {
  readonly step: number;
  readonly learningRate: number;
  readonly terms: Readonly<Record<string, number>>;
  readonly imagesPerSecond: number;
  readonly validation?: Validation | undefined;
}

export interface TrainingData {
  readonly set: GroupSet;
  readonly train: readonly number[];
  /** Groups drawn beside them: as the recipe's `pictures` says, in pre-training like any other. */
  readonly pictures?: readonly number[] | undefined;
  readonly validation: readonly number[];
}

export interface TrainOptions {
  readonly recipe: Recipe;
  readonly data: TrainingData;
  /** Where checkpoint and log go. */
  readonly directory: string;
  /** Goes on from the directory's own checkpoint. */
  readonly resume?: boolean | undefined;
  /** Starts from another run's encoder and heads, or from those of a model package. */
  readonly from?: Checkpoint | Model | undefined;
  readonly onProgress?: ((entry: LogEntry, secondsLeft: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Program of the worker processes; the package's own where absent. */
  readonly workerScript?: URL | undefined;
}

/**
 * Trains on the current tfjs backend; after an abort the last step is saved, and `resume` goes on
 * with the very numbers an unbroken run would have had.
 * @throws ClmexError `engine-failed` with the step, which is saved, when the loss is not finite.
 */
export async function train(options: TrainOptions): Promise<Checkpoint> {
  await mkdir(options.directory, { recursive: true });
  const run = await startRun(options);
  const { recipe, data, workerScript } = options;
  const { learner, frame } = run;
  const differentiator = await startDifferentiator({
    learner,
    recipe,
    frame,
    labels: data.set.labels,
    predicted: predictedBy(learner),
    draw: drawing(recipe, data),
    script: workerScript,
  });
  try {
    return await takeSteps(run, differentiator, options);
  } finally {
    await differentiator.close();
  }
}

async function takeSteps(
  run: Run,
  differentiator: Differentiator,
  options: TrainOptions,
): Promise<Checkpoint> {
  const { recipe, directory } = options;
  const pace = new Pace();
  while (run.step < recipe.steps && options.signal?.aborted !== true) {
    const { rows, terms, learningRate } = await takeStep(run, differentiator, options);
    pace.count(rows, terms);
    if (run.step % recipe.validateEvery === 0 || run.step === recipe.steps) {
      const validation = await validateRun(run, options);
      const entry: LogEntry = { step: run.step, learningRate, validation, ...pace.take() };
      await appendFile(join(directory, LOG), `${JSON.stringify(entry)}\n`);
      options.onProgress?.(entry, pace.secondsLeft(recipe.steps - run.step));
    }
    if (run.step % recipe.saveEvery === 0) await saveRun(run, options);
  }
  return saveRun(run, options);
}

async function takeStep(run: Run, differentiator: Differentiator, options: TrainOptions) {
  const { recipe } = options;
  const { rows, terms, gradient, statistics } = await differentiator
    .differentiate(run.arrays.parameters, run.step)
    .catch(async (cause: unknown) => {
      await saveRun(run, options);
      throw atStep(run.step, cause);
    });
  if (!Number.isFinite(terms['loss']!) || !gradient.every(Number.isFinite)) {
    await saveRun(run, options);
    throw new ClmexError(
      'engine-failed',
      'the loss is no longer finite; the last good step is saved',
      { field: `step ${run.step}`, value: terms },
    );
  }
  const { steps, warmupSteps } = recipe;
  const learningRate = cosineSchedule(run.step, steps, warmupSteps, recipe.learningRate);
  run.optimiser.update(run.arrays.parameters, gradient, run.memory, {
    step: run.step,
    learningRate,
    slots: run.learner.slots,
  });
  follow(run.arrays.statistics, statistics, STATISTICS_DECAY);
  // Early on the running mean would mostly remember the random start.
  const decay = Math.min(recipe.average, (1 + run.step) / (10 + run.step));
  follow(run.arrays.meanParameters, run.arrays.parameters, decay);
  follow(run.arrays.meanStatistics, run.arrays.statistics, decay);
  run.step++;
  return { rows, terms, learningRate };
}

function atStep(step: number, cause: unknown): ClmexError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new ClmexError('engine-failed', `${message}; the last good step is saved`, {
    field: `step ${step}`,
    cause,
  });
}

interface Run {
  readonly learner: Learner;
  readonly optimiser: Optimiser;
  readonly arrays: Record<
    'parameters' | 'statistics' | 'meanParameters' | 'meanStatistics',
    Float32Array
  >;
  readonly memory: Readonly<Record<string, Float32Array>>;
  /** Of the geometry stream, where there is one. */
  readonly frame: GeometryFrame | undefined;
  /** Of the people and labels it learns from. */
  readonly fingerprint: string;
  step: number;
}

async function startRun({ recipe, data, directory, resume, from }: TrainOptions): Promise<Run> {
  const [run, model] = from && 'graph' in from ? [undefined, from] : [from, undefined];
  const learner = createLearner(recipe, data.set.labels, toPredict(recipe, data, run));
  const fingerprint = fingerprintOf(data);
  const optimiser =
    recipe.optimiser.kind === 'adamw' ? adamW(recipe.optimiser) : momentumSgd(recipe.optimiser);
  const fresh = {
    parameters: learner.initial.slice(),
    statistics: learner.encoder.initialStatistics.slice(),
  };
  if (resume === true) {
    const saved = await loadCheckpoint(join(directory, CHECKPOINT));
    requireSameArchitecture(saved, learner, recipe);
    requireSameRecipe(saved.recipe, recipe);
    requireSameData(saved.data, fingerprint);
    await truncateLog(directory, saved.step);
    const { parameters, statistics, meanParameters, meanStatistics, frame, ...memory } =
      saved.arrays;
    const arrays = {
      parameters: parameters!,
      statistics: statistics!,
      meanParameters: meanParameters!,
      meanStatistics: meanStatistics!,
    };
    return {
      learner,
      optimiser,
      arrays,
      memory,
      frame: frame && unpackFrame(frame),
      fingerprint,
      step: saved.step,
    };
  }
  const start = model
    ? await startingPoint({ model, learner, recipe, ...data })
    : run && { arrays: { ...run.arrays, meanParameters: parametersOf(run, learner, recipe) } };
  await rm(join(directory, LOG), { force: true });
  const known = start?.arrays['frame'];
  const parameters = start?.arrays['meanParameters'] ?? fresh.parameters;
  const statistics = start?.arrays['meanStatistics'] ?? fresh.statistics;
  return {
    learner,
    optimiser,
    arrays: {
      parameters: parameters.slice(),
      statistics: statistics.slice(),
      meanParameters: parameters.slice(),
      meanStatistics: statistics.slice(),
    },
    memory: optimiser.init(learner.initial.length),
    frame: recipe.geometry
      ? known
        ? unpackFrame(known)
        : fitGeometryFrame(data.set, data.train)
      : undefined,
    fingerprint,
    step: 0,
  };
}

function requireSameArchitecture(saved: Checkpoint, learner: Learner, recipe: Recipe): void {
  if (saved.architecture !== learner.architecture) throw anotherArchitecture(saved, recipe);
}

/** What another run has learned, as this learner holds it. */
function parametersOf(run: Checkpoint, learner: Learner, recipe: Recipe): Float32Array {
  const before = createLearner(run.recipe, run.labels, run);
  const carried = carriedOver(before, run.arrays['meanParameters']!, learner);
  if (carried === undefined) throw anotherArchitecture(run, recipe);
  return carried;
}

const anotherArchitecture = (saved: Checkpoint, { network }: Recipe): ClmexError =>
  new ClmexError('invalid-file', 'the checkpoint holds another architecture', {
    field: 'checkpoint',
    value: saved.recipe.network,
    allowed: `network ${network} with the labels and heads of the data and the recipe`,
  });

function requireSameRecipe(saved: Recipe, given: Recipe): void {
  const changed = (Object.keys(given) as (keyof Recipe)[]).find(
    (key) => JSON.stringify(saved[key]) !== JSON.stringify(given[key]),
  );
  if (changed === undefined) return;
  throw new ClmexError(
    'invalid-config',
    'differs from the recipe that the checkpoint was made with',
    {
      field: changed,
      value: given[changed],
      allowed: JSON.stringify(saved[changed]),
    },
  );
}

function requireSameData(saved: string, given: string): void {
  if (saved === given) return;
  throw new ClmexError('invalid-argument', 'differs from what the checkpoint has learned from', {
    field: 'data',
    value: given,
    allowed: `${saved}: the same people and labels, in the same order; a new run may start --from this one`,
  });
}

/** Who shows what, in the order in which steps draw from them. */
function fingerprintOf({ set, train, pictures = [] }: TrainingData): string {
  const hash = createHash('sha256');
  for (const index of [...train, ...pictures]) {
    const { personId, label } = set.info(index);
    hash.update(`${personId} ${label} `);
  }
  return hash.digest('hex');
}

function learnedOf({ set, train, pictures = [] }: TrainingData): Learned {
  const people = new Set(train.map((index) => set.info(index).personId)).size;
  return { groups: train.length, people, pictures: pictures.length };
}

/** Lines past the checkpoint would be written twice. */
async function truncateLog(directory: string, step: number): Promise<void> {
  const path = join(directory, LOG);
  const lines = (await readFile(path, 'utf8').catch(() => '')).split('\n').filter((line) => {
    if (line === '') return false;
    try {
      return (JSON.parse(line) as LogEntry).step <= step;
    } catch {
      return false; // A kill while a line was written leaves half of it.
    }
  });
  await writeFile(`${path}.tmp`, lines.map((line) => `${line}\n`).join(''));
  await rename(`${path}.tmp`, path);
}

/** A step's groups, by the step alone. */
function drawing(recipe: Recipe, data: TrainingData): (step: number) => SeededGroup[] {
  const sampler = samplerOf(recipe, data);
  return (step) => {
    const random = stepRandom(recipe.seed, step);
    return readDrawn(data.set, sampler(random), random);
  };
}

function samplerOf(recipe: Recipe, { set, train, pictures = [] }: TrainingData): Sampler {
  if (recipe.stage === 'pretrain') return peopleSampler(set, [...train, ...pictures], recipe.batch);
  const rendered = balancedSampler(set, train, recipe.batch);
  if (pictures.length === 0 || recipe.pictures.count === 0) return rendered;
  const shape = { people: recipe.pictures.count, captures: 1, views: recipe.batch.views };
  const real = balancedSampler(set, pictures, shape);
  return (random) => [...rendered(random), ...real(random)];
}

/** What the recipe asks to predict or the run before predicted, as far as the data knows it. */
function toPredict(
  recipe: Recipe,
  { set, train }: TrainingData,
  before: Predicted | undefined,
): Predicted {
  const first = train[0] === undefined ? undefined : set.read(train[0]);
  const asked = (name: keyof Predicted): boolean => recipe[name] > 0 || (before?.[name] ?? 0) > 0;
  return {
    shapes: asked('shapes') ? (first?.shapes?.length ?? 0) : 0,
    blendshapes: asked('blendshapes') ? (first?.views[0]?.blendshapes?.length ?? 0) : 0,
    frontal: asked('frontal') ? (first?.frontal?.length ?? 0) : 0,
  };
}

async function saveRun(
  { learner, arrays, memory, frame, fingerprint, step }: Run,
  { recipe, data, directory }: TrainOptions,
): Promise<Checkpoint> {
  const checkpoint: Checkpoint = {
    recipe,
    labels: data.set.labels,
    ...predictedBy(learner),
    architecture: learner.architecture,
    data: fingerprint,
    learned: learnedOf(data),
    step,
    arrays: { ...arrays, ...memory, ...(frame && { frame: packFrame(frame) }) },
  };
  await saveCheckpoint(join(directory, CHECKPOINT), checkpoint);
  return checkpoint;
}

async function validateRun(
  { learner, arrays, frame }: Run,
  { recipe, data }: TrainOptions,
): Promise<Validation> {
  const network = toNetwork(learner, recipe, arrays.meanParameters, arrays.meanStatistics, frame);
  const groups = await embedGroups(data.set, data.validation, VALIDATION_GROUPS, network);
  const embeddings = validateEmbeddings(groups);
  return recipe.stage === 'pretrain'
    ? embeddings
    : { ...embeddings, ...validateHead(groups, network.head, data.set.labels) };
}

/** mean ← decay · mean + (1 − decay) · value */
function follow(mean: Float32Array, value: Float32Array, decay: number): void {
  for (let i = 0; i < mean.length; i++) mean[i] = decay * mean[i]! + (1 - decay) * value[i]!;
}

/** Speed and mean terms since the last line of the log. */
class Pace {
  #started = performance.now();
  #images = 0;
  #steps = 0;
  #terms: Record<string, number> = {};
  #secondsPerStep = 0;

  count(images: number, terms: Readonly<Record<string, number>>): void {
    this.#images += images;
    this.#steps++;
    for (const [name, value] of Object.entries(terms))
      this.#terms[name] = (this.#terms[name] ?? 0) + value;
  }

  take(): { terms: Record<string, number>; imagesPerSecond: number } {
    const seconds = (performance.now() - this.#started) / 1000;
    const terms = Object.fromEntries(
      Object.entries(this.#terms).map(([name, sum]) => [name, sum / this.#steps]),
    );
    const imagesPerSecond = this.#images / seconds;
    this.#secondsPerStep = seconds / this.#steps;
    [this.#started, this.#images, this.#steps, this.#terms] = [performance.now(), 0, 0, {}];
    return { terms, imagesPerSecond };
  }

  secondsLeft(steps: number): number {
    return steps * this.#secondsPerStep;
  }
}
