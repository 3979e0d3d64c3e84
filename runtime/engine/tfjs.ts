import * as tf from '@tensorflow/tfjs-core';
import { ClmexError } from '../../core/errors.js';
import { selectBackend, type BackendName } from '../../encoder/backend/backend.js';
import { forward, toTensors, trainable } from '../../encoder/formats/tfjs.js';
import type { Graph } from '../../encoder/graph.js';
import type { Engine, Session, Tensor } from './engine.js';

/** Fastest first; the first two run where their packages are installed. */
const PREFERRED: readonly BackendName[] = ['node-gpu', 'webgpu', 'wasm', 'cpu'];

/**
 * TensorFlow.js on the best backend that starts here. Takes graphs only.
 * @throws ClmexError `unsupported` where no backend starts.
 */
export async function createTfjs(): Promise<Engine> {
  for (const backend of PREFERRED) {
    try {
      await selectBackend(backend);
    } catch {
      continue;
    }
    return {
      name: `tfjs ${tf.version_core} ${backend}`,
      onnx: {},
      load: (model, name) => Promise.resolve().then(() => TfjsSession.of(model, name)),
    };
  }
  throw new ClmexError('unsupported', 'no TensorFlow.js backend starts on this machine', {
    field: 'engine.kind',
    value: 'tfjs',
    allowed: 'onnxruntime',
  });
}

class TfjsSession implements Session {
  readonly inputs: Graph['inputs'];
  readonly outputs: Graph['outputs'];
  readonly #graph: Graph;
  readonly #name: string;
  readonly #weights: Map<string, tf.Tensor>;
  #closed = false;

  private constructor(graph: Graph, name: string) {
    this.inputs = graph.inputs;
    this.outputs = graph.outputs;
    this.#graph = graph;
    this.#name = name;
    const { slots, initial } = trainable(graph, { batchNorm: false });
    this.#weights = toTensors(slots, initial);
  }

  static of(model: Graph | Uint8Array, name: string): TfjsSession {
    if (model instanceof Uint8Array || model.inputs.length !== 1 || model.outputs.length !== 1) {
      throw new ClmexError('unsupported', 'tfjs runs graphs with one input and one output', {
        field: name,
        allowed: 'engine onnxruntime',
      });
    }
    return new TfjsSession(model, name);
  }

  async run(inputs: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>> {
    if (this.#closed) throw new ClmexError('closed', `model '${this.#name}' is closed`);
    const { data, shape } = inputs[this.inputs[0]!.name]!;
    let made: tf.Tensor | undefined;
    try {
      made = tf.tidy(() =>
        forward(
          this.#graph,
          this.#weights,
          tf.tensor4d(data, shape as [number, number, number, number]),
        ),
      );
      const values = await made.data<'float32'>();
      return { [this.outputs[0]!.name]: { data: Float32Array.from(values), shape: made.shape } };
    } catch (cause) {
      throw new ClmexError('engine-failed', 'the model failed', { field: this.#name, cause });
    } finally {
      made?.dispose();
    }
  }

  close(): Promise<void> {
    if (!this.#closed) tf.dispose([...this.#weights.values()]);
    this.#closed = true;
    return Promise.resolve();
  }
}
