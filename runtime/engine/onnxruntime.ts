import * as ort from 'onnxruntime-node';
import { ClmexError } from '../../core/errors.js';
import { writeOnnx, type OnnxOptions } from '../../encoder/formats/onnx.js';
import type { Graph } from '../../encoder/graph.js';
import type { Engine, Session, Tensor, TensorInfo } from './engine.js';

const ON_CPU: OnnxOptions = { prelu: 'depthwise' };

/** ONNX Runtime on the CPU. */
export function createOnnxRuntime(threads: number): Engine {
  if (!Number.isInteger(threads) || threads < 1)
    throw new ClmexError('invalid-config', 'a whole number of threads is needed', {
      field: 'engine.threads',
      value: threads,
      allowed: '1 or more',
    });
  return {
    name: `onnxruntime ${ort.env.versions.node ?? ort.env.versions.common} cpu`,
    onnx: ON_CPU,
    load: (model, name) => OnnxSession.load(model, name, threads),
  };
}

class OnnxSession implements Session {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly #session: ort.InferenceSession;
  readonly #name: string;
  #closed = false;

  private constructor(session: ort.InferenceSession, name: string) {
    this.#session = session;
    this.#name = name;
    this.inputs = session.inputMetadata.map(describe);
    this.outputs = session.outputMetadata.map(describe);
  }

  static async load(
    model: Graph | Uint8Array,
    name: string,
    threads: number,
  ): Promise<OnnxSession> {
    const bytes = model instanceof Uint8Array ? model : writeOnnx(model, ON_CPU);
    try {
      const session = await ort.InferenceSession.create(bytes, {
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
        // Where int8 products could saturate 16-bit sums (x64 without VNNI), weights become unsigned.
        extra: { session: { x64quantprecision: '1' } },
      });
      return new OnnxSession(session, name);
    } catch (cause) {
      throw new ClmexError('model-invalid', 'the engine refuses the model', {
        field: name,
        cause,
        allowed: cause instanceof Error ? cause.message : undefined,
      });
    }
  }

  async run(inputs: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>> {
    if (this.#closed) throw new ClmexError('closed', `model '${this.#name}' is closed`);
    const feeds: Record<string, ort.Tensor> = {};
    for (const [name, { data, shape }] of Object.entries(inputs))
      feeds[name] = new ort.Tensor('float32', data, shape);
    let results: ort.InferenceSession.OnnxValueMapType;
    try {
      results = await this.#session.run(feeds);
    } catch (cause) {
      throw new ClmexError('engine-failed', 'the model failed', { field: this.#name, cause });
    }
    const outputs: Record<string, Tensor> = {};
    for (const [name, { data, dims }] of Object.entries(results))
      outputs[name] = { data: data as Float32Array, shape: dims };
    return outputs;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#session.release();
  }
}

function describe(value: ort.InferenceSession.ValueMetadata): TensorInfo {
  return { name: value.name, shape: value.isTensor ? value.shape : [] };
}
