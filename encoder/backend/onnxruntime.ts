import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { ClmexError } from '../../core/errors.js';
import { encodeOnnx, type OnnxModel } from '../formats/onnx-proto.js';
import {
  GRADIENT,
  gradientOf,
  IMAGES,
  recomputing,
  trainingModels,
} from '../formats/onnx-training.js';
import { views, type ParameterSlot, type Trainable } from '../formats/tfjs.js';

type Runtime = typeof import('onnxruntime-node');
type Values = Readonly<Record<string, Tensor>>;

/** Where ONNX Runtime trains: on this machine's processor, or on a GPU over Vulkan, Metal or D3D12. */
export const TRAINING_PROVIDERS = ['cpu', 'webgpu'] as const;
export type TrainingProvider = (typeof TRAINING_PROVIDERS)[number];

export interface EncoderGradient {
  /** As long as the trainable's parameters. */
  readonly gradient: Float32Array;
  /** Mean and variance of the batch, in the order of its statistic slots. */
  readonly statistics: Float32Array;
}

/**
 * Both passes of an encoder in training, in ONNX Runtime on the CPU: two to three times as fast as
 * WebAssembly, which has neither wide vectors nor fused products. The loss, between them, stays in
 * TensorFlow.js.
 */
export class EncoderPasses {
  readonly #runtime: Runtime;
  readonly #trainable: Trainable;
  readonly #forward: InferenceSession;
  readonly #backward: InferenceSession;
  readonly #kept: readonly string[];
  /** What the last forward pass read and made. */
  #last: { readonly inputs: Values; readonly outputs: Values } | undefined;

  private constructor(
    runtime: Runtime,
    trainable: Trainable,
    sessions: readonly [InferenceSession, InferenceSession],
    kept: readonly string[],
  ) {
    this.#runtime = runtime;
    this.#trainable = trainable;
    [this.#forward, this.#backward] = sessions;
    this.#kept = kept;
  }

  /**
   * @throws ClmexError `unsupported` for a graph with layers that no encoder of ours has, or where the
   * machine has no device for the provider.
   */
  static async load(
    trainable: Trainable,
    { threads, provider }: { readonly threads: number; readonly provider: TrainingProvider },
  ): Promise<EncoderPasses> {
    // As in the engine: before it is loaded, or it counts its own use and sends that home.
    process.env['ORT_DISABLE_TELEMETRY'] = '1';
    const runtime = await import('onnxruntime-node');
    const models = trainingModels(trainable);
    const { forward, backward, kept } = provider === 'cpu' ? models : recomputing(models);
    const open = (model: OnnxModel): Promise<InferenceSession> =>
      runtime.InferenceSession.create(encodeOnnx(model), {
        executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
      });
    try {
      return new EncoderPasses(
        runtime,
        trainable,
        [await open(forward), await open(backward)],
        kept,
      );
    } catch (cause) {
      if (provider === 'cpu') throw cause;
      throw new ClmexError('unsupported', 'ONNX Runtime finds no such device on this machine', {
        field: 'provider',
        value: provider,
        allowed: 'cpu, or a GPU with a driver for Vulkan (and libvulkan.so.1), Metal or D3D12',
        cause,
      });
    }
  }

  /**
   * @param parameters of the encoder; what lies behind them is not read.
   * @param images rows × size × size, normalised crops.
   * @returns embeddings, row by row.
   */
  async forward(parameters: Float32Array, images: Float32Array, rows: number): Promise<Float32Array> {
    const { graph, slots } = this.#trainable;
    const { Tensor } = this.#runtime;
    const [, height, width] = graph.inputs[0]!.shape;
    const inputs: Record<string, Tensor> = {
      [IMAGES]: new Tensor('float32', images, [rows, 1, height!, width!]),
    };
    for (const [name, { shape, data }] of views(slots, parameters))
      inputs[name] = new Tensor('float32', data, [...shape]);
    const outputs = await this.#forward.run(inputs);
    this.#last = { inputs, outputs };
    return floats(outputs[graph.outputs[0]!.name]);
  } // prettier-ignore

  /**
   * Of the batch that went forward last.
   * @param gradient the loss's by the embeddings, row by row.
   * @throws ClmexError `invalid-argument` where nothing went forward.
   */
  async backward(gradient: Float32Array): Promise<EncoderGradient> {
    if (this.#last === undefined)
      throw new ClmexError('invalid-argument', 'goes back over a batch that went forward', {
        field: 'gradient',
      });
    const { inputs, outputs } = this.#last;
    this.#last = undefined;
    const { graph, slots, statisticSlots } = this.#trainable;
    const embedding = outputs[graph.outputs[0]!.name]!;
    const seen: Record<string, Tensor> = {
      ...inputs,
      [GRADIENT]: new this.#runtime.Tensor('float32', gradient, embedding.dims),
    };
    for (const name of this.#kept) seen[name] = outputs[name]!;
    const read = this.#backward.inputNames.map((name) => [name, seen[name]!] as const);
    const gradients = await this.#backward.run(Object.fromEntries(read));
    return {
      gradient: flat(slots, (name) => floats(gradients[gradientOf(name)])),
      statistics: flat(statisticSlots, (name) => floats(outputs[name] ?? gradients[name])),
    };
  }

  async close(): Promise<void> {
    this.#last = undefined;
    await Promise.all([this.#forward.release(), this.#backward.release()]);
  }
}

const floats = (tensor: Tensor | undefined): Float32Array => tensor!.data as Float32Array;

function flat(slots: readonly ParameterSlot[], of: (name: string) => Float32Array): Float32Array {
  const last = slots.at(-1);
  const all = new Float32Array(last ? last.offset + last.length : 0);
  for (const { name, offset } of slots) all.set(of(name), offset);
  return all;
}
