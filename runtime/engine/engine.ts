import { ClmexError } from '../../core/errors.js';
import type { OnnxOptions } from '../../encoder/formats/onnx.js';
import type { Graph } from '../../encoder/graph.js';

/** Where ONNX Runtime computes: all but `cpu` need a device, `cuda` and `tensorrt` its further files too. */
export const PROVIDERS = ['cpu', 'cuda', 'tensorrt', 'webgpu'] as const;
export type Provider = (typeof PROVIDERS)[number];

/** Row-major floats; batch first. */
export interface Tensor {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** Name and shape of an input or output; a text is a free dimension. */
export interface TensorInfo {
  readonly name: string;
  readonly shape: readonly (number | string)[];
}

/** A network ready to run. Calls may not overlap. */
export interface Session {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** @throws ClmexError `engine-failed` naming the model. */
  run(inputs: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>;
  close(): Promise<void>;
}

/** Runs networks; chosen by the configuration, imported only when chosen. */
export interface Engine {
  /** For people: engine, version, where it computes. */
  readonly name: string;
  /** How graphs are best written for it. */
  readonly onnx: OnnxOptions;
  /**
   * Makes a network ready.
   * @param model A graph, or the bytes of a file in the engine's own format (.onnx, .tflite).
   * @param name For errors.
   * @throws ClmexError `model-invalid` where the engine refuses it.
   */
  load(model: Graph | Uint8Array, name: string): Promise<Session>;
}

export type EngineKind = 'onnxruntime' | 'tflite' | 'tfjs';

export interface EngineOptions {
  readonly kind: EngineKind;
  /** Threads within one operator. */
  readonly threads: number;
  /** Where onnxruntime computes; `cpu` where left out. */
  readonly provider?: Provider | undefined;
}

/** @throws ClmexError `invalid-config` for an engine that is not known. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const make = ENGINES[options.kind] as Maker | undefined;
  if (make === undefined)
    throw new ClmexError('invalid-config', 'an engine that is not known', {
      field: 'engine.kind',
      value: options.kind,
      allowed: Object.keys(ENGINES).join(', '),
    });
  return make(options);
}

type Maker = (options: EngineOptions) => Promise<Engine>;

const ENGINES: Readonly<Record<EngineKind, Maker>> = {
  onnxruntime: async ({ threads, provider }) => {
    // Its library counts its own use and sends that home, unless told not to before it is loaded.
    process.env['ORT_DISABLE_TELEMETRY'] = '1';
    return (await import('./onnxruntime.js')).createOnnxRuntime(threads, provider);
  },
  tflite: async () => (await import('./tflite.js')).createTflite(),
  tfjs: async () => (await import('./tfjs.js')).createTfjs(),
};
