import { ClmexError } from '../core/errors.js';
import { EncoderPasses } from '../encoder/backend/onnxruntime.js';
import { prepareBatch, type Preparation, type SeededGroup } from './batch.js';
import { differentiateLoss, type Differentiated } from './differentiate.js';
import type { Differentiator, DifferentiatorOptions } from './parallel/differentiator.js';
import { preparationOf } from './preparation.js';

/**
 * The encoder forth and back in ONNX Runtime, on `recipe.workers` threads; heads and loss between on
 * the current backend. One number of threads always gives the same bits.
 */
export class RuntimeDifferentiator implements Differentiator {
  readonly #options: DifferentiatorOptions;
  readonly #preparation: Preparation;
  readonly #passes: EncoderPasses;

  private constructor(options: DifferentiatorOptions, passes: EncoderPasses) {
    this.#options = options;
    this.#preparation = preparationOf(options.recipe, options.frame);
    this.#passes = passes;
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
    return new RuntimeDifferentiator(options, passes);
  }

  async differentiate(
    parameters: Float32Array,
    groups: readonly SeededGroup[],
  ): Promise<Differentiated & { readonly rows: number }> {
    const { learner, recipe } = this.#options;
    const batch = prepareBatch(groups, this.#preparation);
    const embeddings = await this.#passes.forward(parameters, batch.images, batch.rows);
    const loss = await differentiateLoss(learner, recipe, parameters, embeddings, batch);
    const { gradient, statistics } = await this.#passes.backward(loss.ofEmbeddings);
    loss.ofHeads.set(gradient);
    return { terms: loss.terms, gradient: loss.ofHeads, statistics, rows: batch.rows };
  }

  close(): Promise<void> {
    return this.#passes.close();
  }
}
