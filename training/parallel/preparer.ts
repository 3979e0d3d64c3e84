import { joined } from '../../core/floats.js';
import { batchTruth, prepareBatch, type Batch, type Preparation } from '../batch.js';
import { preparationOf } from '../preparation.js';
import type { DifferentiatorOptions } from './differentiator.js';
import { shareOut } from './messages.js';
import { closeWorkers, startWorkers, type WorkerProcess } from './worker-process.js';

/** Threads of training that one process which augments keeps supplied. */
const THREADS_A_PROCESS = 4;

/**
 * Draws and augments a step's batch; the next one while this one is learned from. With one thread of
 * training it does so in this process, with more in processes beside it. The batch is the same.
 */
export class Preparer {
  readonly #options: DifferentiatorOptions;
  readonly #preparation: Preparation;
  readonly #workers: readonly WorkerProcess[];
  #next: { readonly step: number; readonly batch: Promise<Batch> } | undefined;

  private constructor(options: DifferentiatorOptions, workers: readonly WorkerProcess[]) {
    this.#options = options;
    this.#preparation = preparationOf(options.recipe, options.frame);
    this.#workers = workers;
  }

  /** @throws ClmexError `engine-failed` where a process does not start. */
  static async start(options: DifferentiatorOptions): Promise<Preparer> {
    const { workers } = options.recipe;
    const count = workers === 1 ? 0 : Math.ceil(workers / THREADS_A_PROCESS);
    return new Preparer(options, await startWorkers(options, count));
  }

  /** @throws ClmexError `engine-failed` where a process has ended. */
  batch(step: number): Promise<Batch> {
    const next = this.#next;
    this.#next = undefined;
    return next?.step === step ? next.batch : this.#prepare(step);
  }

  /** Begins with the batch of a step, where the run has such a step. */
  ahead(step: number): void {
    if (step >= this.#options.recipe.steps) return;
    const batch = this.#prepare(step);
    // Whoever asks for the batch hears of it.
    batch.catch(() => undefined);
    this.#next = { step, batch };
  }

  close(): Promise<void> {
    return closeWorkers(this.#workers);
  }

  async #prepare(step: number): Promise<Batch> {
    const groups = this.#options.draw(step);
    if (this.#workers.length === 0) return prepareBatch(groups, this.#preparation);
    const shares = shareOut(groups, this.#workers.length);
    const parts = await Promise.all(
      shares.map((share, i) => {
        const worker = this.#workers[i]!;
        worker.send({ kind: 'prepare', groups: share });
        return worker.receive('prepared');
      }),
    );
    const [images, geometry] = [parts.map((one) => one.images), parts.map((one) => one.geometry)];
    return {
      ...batchTruth(groups, true, joined(geometry)),
      size: this.#preparation.size,
      images: joined(images),
    };
  }
}
