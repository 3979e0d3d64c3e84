import { ClmexError } from '../core/errors.js';
import { EncoderPasses } from '../encoder/backend/onnxruntime.js';
import { differentiateLoss, type Differentiated } from './differentiate.js';
import type { Differentiator, DifferentiatorOptions } from './parallel/differentiator.js';
import { Preparer } from './parallel/preparer.js';

/**
 * The encoder forth and back in ONNX Runtime, on `recipe.workers` threads; heads and loss between on
 * the current backend. One number of threads always gives the same bits.
 */
export class RuntimeDifferentiator implements Differentiator {
  readonly #options: DifferentiatorOptions;
  readonly #preparer: Preparer;
  readonly #passes: EncoderPasses;

  private constructor(options: DifferentiatorOptions, passes: EncoderPasses, preparer: Preparer) {
    this.#options = options;
    this.#passes = passes;
    this.#preparer = preparer;
  }

  /** @throws ClmexError `invalid-config` for training that rounds as int8 does. */
  static async start(options: DifferentiatorOptions): Promise<RuntimeDifferentiator> {
    const { learner, recipe } = options;
    if (recipe.quantiseAware)
      throw new ClmexError('invalid-config', 'ONNX Runtime does not round in training', {
        field: 'quantiseAware',
        value: true,
        allowed: 'false with backend onnxruntime; true with wasm, cpu, webgpu or node-gpu',
      });
    const passes = await EncoderPasses.load(learner.encoder, {
      threads: recipe.workers,
      provider: recipe.provider,
    });
    try {
      return new RuntimeDifferentiator(options, passes, await Preparer.start(options));
    } catch (error) {
      await passes.close();
      throw error;
    }
  }

  async differentiate(
    parameters: Float32Array,
    step: number,
  ): Promise<Differentiated & { readonly rows: number }> {
    const { learner, recipe } = this.#options;
    const batch = await this.#preparer.batch(step);
    const forward = this.#passes.forward(parameters, batch.images, batch.rows);
    // ONNX Runtime computes on threads of its own.
    this.#preparer.ahead(step + 1);
    const embeddings = await forward;
    const loss = await differentiateLoss(learner, recipe, parameters, embeddings, batch);
    const { gradient, statistics } = await this.#passes.backward(loss.ofEmbeddings);
    loss.ofHeads.set(gradient);
    return { terms: loss.terms, gradient: loss.ofHeads, statistics, rows: batch.rows };
  }

  async close(): Promise<void> {
    await Promise.all([this.#passes.close(), this.#preparer.close()]);
  }
}
