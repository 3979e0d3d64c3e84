import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { ClmexError } from '../../core/errors.js';
import { writeOnnx, type OnnxOptions } from '../../encoder/formats/onnx.js';
import type { Graph } from '../../encoder/graph.js';
import { cacheDirectory } from '../cache.js';
import type { Engine, Provider, Session, Tensor, TensorInfo } from './engine.js';
import { channelBlock } from './processor.js';

const ON_CPU: OnnxOptions = { channelBlock: channelBlock() };

/**
 * ONNX Runtime. Where the provider cannot be loaded, or fails while running, networks go on on the
 * CPU and the engine's name says so.
 */
export function createOnnxRuntime(threads: number, provider: Provider = 'cpu'): Engine {
  if (!Number.isInteger(threads) || threads < 1)
    throw new ClmexError('invalid-config', 'a whole number of threads is needed', {
      field: 'engine.threads',
      value: threads,
      allowed: '1 or more',
    });
  const place: Place = { threads, provider, fellBack: false };
  return {
    get name() {
      const where = place.fellBack ? `cpu (${provider} failed)` : provider;
      return `onnxruntime ${ort.env.versions.node ?? ort.env.versions.common} ${where}`;
    },
    onnx: ON_CPU,
    load: (model, name) => OnnxSession.load(model, name, place),
  };
}

/** What all sessions of an engine share. */
interface Place {
  readonly threads: number;
  readonly provider: Provider;
  fellBack: boolean;
}

/** On the place's provider, on the CPU where that fails. */
async function createSession(bytes: Uint8Array, place: Place): Promise<ort.InferenceSession> {
  const options: ort.InferenceSession.SessionOptions = {
    intraOpNumThreads: place.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  };
  if (place.provider !== 'cpu' && !place.fellBack) {
    if (place.provider === 'tensorrt') keepTensorRtEngines();
    try {
      const executionProviders = [place.provider, 'cpu'];
      return await ort.InferenceSession.create(bytes, { ...options, executionProviders });
    } catch {
      place.fellBack = true;
    }
  }
  return ort.InferenceSession.create(bytes, options);
}

/**
 * TensorRT builds an engine for minutes: it is kept and found again at the next start. The Node
 * binding hands its provider no options, so that they go by the environment, where what the user has
 * set stands.
 */
function keepTensorRtEngines(): void {
  const wanted = {
    ORT_TENSORRT_ENGINE_CACHE_ENABLE: '1',
    ORT_TENSORRT_CACHE_PATH: join(cacheDirectory(), 'tensorrt'),
    ORT_TENSORRT_FP16_ENABLE: '1',
    ORT_TENSORRT_INT8_ENABLE: '1',
  };
  for (const [name, value] of Object.entries(wanted)) process.env[name] ??= value;
}

class OnnxSession implements Session {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly #bytes: Uint8Array | undefined;
  readonly #name: string;
  readonly #place: Place;
  #session: ort.InferenceSession;
  #closed = false;

  private constructor(
    session: ort.InferenceSession,
    name: string,
    place: Place,
    bytes: Uint8Array | undefined,
  ) {
    this.#session = session;
    this.#name = name;
    this.#place = place;
    this.#bytes = bytes;
    this.inputs = session.inputMetadata.map(describe);
    this.outputs = session.outputMetadata.map(describe);
  }

  static async load(model: Graph | Uint8Array, name: string, place: Place): Promise<OnnxSession> {
    const bytes = model instanceof Uint8Array ? model : writeOnnx(model, ON_CPU);
    try {
      const session = await createSession(bytes, place);
      const elsewhere = place.provider !== 'cpu' && !place.fellBack;
      return new OnnxSession(session, name, place, elsewhere ? bytes : undefined);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ClmexError('model-invalid', `the engine refuses the model: ${reason}`, {
        field: name,
        cause,
      });
    }
  }

  async run(inputs: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>> {
    if (this.#closed) throw new ClmexError('closed', `model '${this.#name}' is closed`);
    const items = this.#onCpu ? largeItems(inputs) : [];
    if (items.length < 2) return this.#runTogether(inputs);
    const results: Readonly<Record<string, Tensor>>[] = [];
    for (const item of items) results.push(await this.#runTogether(item));
    return joined(results);
  }

  get #onCpu(): boolean {
    return this.#place.provider === 'cpu' || this.#place.fellBack;
  }

  async #runTogether(
    inputs: Readonly<Record<string, Tensor>>,
  ): Promise<Readonly<Record<string, Tensor>>> {
    const feeds: Record<string, ort.Tensor> = {};
    for (const [name, { data, shape }] of Object.entries(inputs))
      feeds[name] = new ort.Tensor('float32', data, shape);
    let results: ort.InferenceSession.OnnxValueMapType;
    try {
      results = await this.#runOrFallBack(feeds);
    } catch (cause) {
      throw new ClmexError('engine-failed', 'the model failed', { field: this.#name, cause });
    }
    const outputs: Record<string, Tensor> = {};
    for (const [name, { data, dims }] of Object.entries(results))
      outputs[name] = { data: data as Float32Array, shape: dims };
    return outputs;
  }

  /** A device that breaks at its first run is given up for the CPU. */
  async #runOrFallBack(
    feeds: Record<string, ort.Tensor>,
  ): Promise<ort.InferenceSession.OnnxValueMapType> {
    try {
      return await this.#session.run(feeds);
    } catch (error) {
      if (this.#bytes === undefined || this.#place.fellBack) throw error;
      this.#place.fellBack = true;
      const broken = this.#session;
      this.#session = await createSession(this.#bytes, this.#place);
      await broken.release();
      return this.#session.run(feeds);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#session.release();
  }
}

/** Floats from which on an item goes alone: a picture of 128 × 128, not a crop of 64 × 64. */
const LARGE = 1 << 15;

/**
 * The items of a batch of large ones, none otherwise. One after the other their activations stay in
 * a processor's second-level cache, where a batch's do not: eight meshes take 1.2 instead of 1.6 ms each.
 */
function largeItems(
  inputs: Readonly<Record<string, Tensor>>,
): readonly Readonly<Record<string, Tensor>>[] {
  const entries = Object.entries(inputs);
  const count = entries[0]?.[1].shape[0] ?? 0;
  const large = entries.every(
    ([, { data, shape }]) => shape[0] === count && data.length >= count * LARGE,
  );
  if (!large) return [];
  return Array.from({ length: count }, (_, i) =>
    Object.fromEntries(
      entries.map(([name, { data, shape }]) => {
        const size = data.length / count;
        return [
          name,
          { data: data.subarray(i * size, (i + 1) * size), shape: [1, ...shape.slice(1)] },
        ];
      }),
    ),
  );
}

function joined(items: readonly Readonly<Record<string, Tensor>>[]): Record<string, Tensor> {
  const whole: Record<string, Tensor> = {};
  for (const [name, first] of Object.entries(items[0]!)) {
    const size = first.data.length;
    const data = new Float32Array(items.length * size);
    items.forEach((item, i) => data.set(item[name]!.data, i * size));
    whole[name] = { data, shape: [items.length, ...first.shape.slice(1)] };
  }
  return whole;
}

function describe(value: ort.InferenceSession.ValueMetadata): TensorInfo {
  return { name: value.name, shape: value.isTensor ? value.shape : [] };
}
