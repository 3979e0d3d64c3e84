import { joined } from '../../core/floats.js';
import { ClmexError } from '../../core/errors.js';
import { batchTruth, prepareBatch, type SeededGroup } from '../batch.js';
import { differentiate, differentiateLoss, type Differentiated } from '../differentiate.js';
import type { GeometryFrame } from '../geometry-frame.js';
import type { Learner, Predicted } from '../learner.js';
import { preparationOf } from '../preparation.js';
import { RuntimeDifferentiator } from '../runtime-differentiator.js';
import type { Recipe } from '../recipe.js';
import { rowsOf, shareOut, type FromWorker } from './messages.js';
import { closeWorkers, startWorkers, type WorkerProcess } from './worker-process.js';

/** Whatever finds the gradient of a step. */
export interface Differentiator {
  differentiate(
    parameters: Float32Array,
    step: number,
  ): Promise<Differentiated & { readonly rows: number }>;
  close(): Promise<void>;
}

export interface DifferentiatorOptions {
  readonly learner: Learner;
  readonly recipe: Recipe;
  /** Of the geometry stream, where there is one. */
  readonly frame: GeometryFrame | undefined;
  readonly labels: readonly string[];
  readonly predicted: Predicted;
  /** What a step learns from, the same whenever it is asked for. */
  readonly draw: (step: number) => readonly SeededGroup[];
  /** Program of the worker processes; the package's own where absent. */
  readonly script?: URL | undefined;
}

/**
 * The one that a recipe's backend and workers ask for.
 * @throws ClmexError `invalid-config` for a provider that the backend does not have.
 */
export async function startDifferentiator(options: DifferentiatorOptions): Promise<Differentiator> {
  const { backend, provider, workers } = options.recipe;
  if (backend === 'onnxruntime') return RuntimeDifferentiator.start(options);
  if (provider !== 'cpu') {
    throw new ClmexError('invalid-config', 'only ONNX Runtime has providers', {
      field: 'provider',
      value: provider,
      allowed: `cpu with backend ${backend}; others with onnxruntime`,
    });
  }
  return workers === 1 ? localDifferentiator(options) : ParallelDifferentiator.start(options);
}

/** In this process, on the current backend. */
function localDifferentiator({
  learner,
  recipe,
  frame,
  draw,
}: DifferentiatorOptions): Differentiator {
  const preparation = preparationOf(recipe, frame);
  return {
    differentiate: async (parameters, step) => {
      const batch = prepareBatch(draw(step), preparation);
      return { ...(await differentiate(learner, recipe, parameters, batch)), rows: batch.rows };
    },
    close: () => Promise.resolve(),
  };
}

/**
 * Data-parallel: each of `recipe.workers` processes takes its share of the batch through the encoder,
 * forth and back. In between this process sees the embeddings of all, so that a contrastive loss has
 * the whole batch's negatives, and batch normalisation takes its means over all shares: the gradient
 * is that of one process but for the order of sums. One number of workers always gives the same bits.
 */
class ParallelDifferentiator implements Differentiator {
  readonly #options: DifferentiatorOptions;
  readonly #workers: readonly WorkerProcess[];

  private constructor(options: DifferentiatorOptions, workers: readonly WorkerProcess[]) {
    this.#options = options;
    this.#workers = workers;
  }

  /** @throws ClmexError `invalid-config` for a backend without processes; `engine-failed`. */
  static async start(options: DifferentiatorOptions): Promise<ParallelDifferentiator> {
    const { recipe } = options;
    if (recipe.backend !== 'wasm' && recipe.backend !== 'cpu') {
      throw new ClmexError('invalid-config', 'worker processes share work on wasm and cpu only', {
        field: 'workers',
        value: recipe.workers,
        allowed: `1 with backend ${recipe.backend}; more with wasm or cpu`,
      });
    }
    return new ParallelDifferentiator(options, await startWorkers(options, recipe.workers));
  }

  async differentiate(
    parameters: Float32Array,
    step: number,
  ): Promise<Differentiated & { readonly rows: number }> {
    const { learner, recipe, draw } = this.#options;
    const groups = draw(step);
    const shares = shareOut(groups, this.#workers.length);
    const workers = this.#workers.slice(0, shares.length);
    const rows = rowsOf(groups);
    const encoder = parameters.subarray(0, learner.encoder.initial.length);
    workers.forEach((worker, i) => {
      const share = rowsOf(shares[i]!) / rows;
      worker.send({ kind: 'step', parameters: encoder, groups: shares[i]!, share });
    });
    const embeddings = await exchangeMeans(workers, 'embeddings');
    const all = joined(embeddings.map(({ values }) => values));
    const geometry = joined(embeddings.map((one) => one.geometry));
    const truth = batchTruth(groups, true, geometry);
    const loss = await differentiateLoss(learner, recipe, parameters, all, truth);
    let at = 0;
    workers.forEach((worker, i) => {
      const { length } = embeddings[i]!.values;
      worker.send({ kind: 'gradient', values: loss.ofEmbeddings.slice(at, (at += length)) });
    });
    const done = await exchangeMeans(workers, 'done');
    const gradient = loss.ofHeads;
    gradient.set(sumOf(done.map((one) => one.gradient)));
    return { terms: loss.terms, gradient, statistics: done[0]!.statistics, rows };
  }

  close(): Promise<void> {
    return closeWorkers(this.#workers);
  }
}

type Said<Kind> = Extract<FromWorker, { readonly kind: Kind }>;

/** Adds up means for the workers as often as they ask; then all say something else. */
async function exchangeMeans<Kind extends 'embeddings' | 'done'>(
  workers: readonly WorkerProcess[],
  kind: Kind,
): Promise<Said<Kind>[]> {
  for (;;) {
    const said: FromWorker[] = await Promise.all(
      workers.map((worker) => worker.receive<'means' | Kind>('means', kind)),
    );
    const means = said.filter((one): one is Said<'means'> => one.kind === 'means');
    if (means.length === 0) return said as Said<Kind>[];
    const values = sumOf(means.map((one) => one.values));
    for (const worker of workers) worker.send({ kind: 'means', values });
  }
}

function sumOf(parts: readonly Float32Array[]): Float32Array {
  const sum = parts[0]!.slice();
  for (const part of parts.slice(1)) part.forEach((value, i) => (sum[i]! += value));
  return sum;
}
