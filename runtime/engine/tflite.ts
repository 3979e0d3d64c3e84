import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import vm from 'node:vm';
import { ClmexError } from '../../core/errors.js';
import { joined } from '../../core/floats.js';
import { readTfliteFile, type TfliteTensor } from '../../encoder/formats/tflite-file.js';
import { writeTflite } from '../../encoder/formats/tflite-writer.js';
import type { Engine, Session, Tensor, TensorInfo } from './engine.js';
import { requireOptional } from '../optional-package.js';

const PACKAGE = '@litertjs/core';

/** What is used of LiteRT.js. */
interface LiteRt {
  loadLiteRt(path: string, options: { threads: boolean }): Promise<unknown>;
  loadAndCompile(model: Uint8Array, options: { accelerator: 'wasm' }): Promise<LiteModel>;
  readonly Tensor: new (data: Float32Array, shape: readonly number[]) => LiteTensor;
}
interface LiteTensor {
  data(): Promise<ArrayLike<number>>;
  delete(): void;
}
interface LiteModel {
  run(inputs: readonly LiteTensor[]): Promise<LiteTensor[]>;
  delete(): void;
}

let loaded: Promise<LiteRt> | undefined;

/**
 * TensorFlow Lite as WebAssembly (LiteRT.js): no native code. Takes the graphs that
 * {@link writeTflite} knows, and .tflite files.
 * @throws ClmexError `unsupported` where @litertjs/core is not installed; `engine-failed` where it
 *   does not start.
 */
export async function createTflite(): Promise<Engine> {
  const require = requireOptional(PACKAGE, 'tflite');
  const { version } = require(`${PACKAGE}/package.json`) as { version: string };
  loaded ??= start(require);
  const lite = await loaded.catch((cause: unknown) => {
    loaded = undefined;
    throw new ClmexError('engine-failed', 'LiteRT.js does not start', { field: 'engine.kind', cause });
  }); // prettier-ignore
  return {
    name: `tflite (LiteRT.js ${version}) wasm`,
    onnx: {},
    load: async (model, name) => {
      const bytes = model instanceof Uint8Array ? model : writeTflite(model);
      return TfliteSession.load(lite, bytes, name);
    },
  };
}

/** LiteRT.js is written for browsers: what it misses in Node is supplied while it starts. */
async function start(require: NodeJS.Require): Promise<LiteRt> {
  const entry = require.resolve(PACKAGE);
  const folder = join(dirname(require.resolve(`${PACKAGE}/package.json`)), 'wasm');
  const base = pathToFileURL(`${folder}/`).href;
  const webFetch = globalThis.fetch;
  const supplied = {
    self: globalThis,
    location: { href: base },
    require,
    __dirname: folder,
    __filename: join(folder, 'litert.js'),
    importScripts: (url: string | URL) => {
      const path = fileURLToPath(new URL(String(url), base));
      vm.runInThisContext(readFileSync(path, 'utf8'), { filename: path });
    },
    fetch: async (...[address, options]: Parameters<typeof fetch>) => {
      const text = address instanceof Request ? address.url : String(address);
      if (!text.startsWith('file:') && !text.startsWith('/')) return webFetch(address, options);
      const bytes = await readFile(text.startsWith('file:') ? fileURLToPath(text) : text);
      const type = text.endsWith('.wasm') ? 'application/wasm' : 'application/octet-stream';
      return new Response(new Uint8Array(bytes), { headers: { 'content-type': type } });
    },
  };
  const before = new Map(
    Object.keys(supplied).map((key) => [key, Object.getOwnPropertyDescriptor(globalThis, key)]),
  );
  for (const [key, value] of Object.entries(supplied))
    Object.defineProperty(globalThis, key, { value, configurable: true, writable: true });
  try {
    const lite = (await import(pathToFileURL(entry).href)) as LiteRt;
    await lite.loadLiteRt(base, { threads: false });
    return lite;
  } finally {
    for (const [key, descriptor] of before) {
      if (key === 'self') continue; // Its glue goes on asking for it.
      if (descriptor === undefined) Reflect.deleteProperty(globalThis, key);
      else Object.defineProperty(globalThis, key, descriptor);
    }
  }
}

class TfliteSession implements Session {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly #lite: LiteRt;
  readonly #model: LiteModel;
  readonly #name: string;
  #closed = false;

  private constructor(
    lite: LiteRt,
    model: LiteModel,
    name: string,
    inputs: readonly TensorInfo[],
    outputs: readonly TensorInfo[],
  ) {
    this.#lite = lite;
    this.#model = model;
    this.#name = name;
    this.inputs = inputs;
    this.outputs = outputs;
  }

  static async load(lite: LiteRt, bytes: Uint8Array, name: string): Promise<TfliteSession> {
    const { tensors, inputs, outputs } = readTfliteFile(bytes);
    const info = (index: number): TensorInfo => describe(tensors[index]!);
    try {
      const model = await lite.loadAndCompile(bytes, { accelerator: 'wasm' });
      return new TfliteSession(lite, model, name, inputs.map(info), outputs.map(info));
    } catch (cause) {
      throw new ClmexError('model-invalid', 'the engine refuses the model', { field: name, cause });
    }
  }

  /** The file's batch is one: the items of a batch go through one after the other. */
  async run(inputs: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>> {
    if (this.#closed) throw new ClmexError('closed', `model '${this.#name}' is closed`);
    const [first] = this.inputs;
    const count = inputs[first!.name]?.shape[0] ?? 0;
    const collected = this.outputs.map((): Float32Array[] => []);
    for (let item = 0; item < count; item++) {
      const results = await this.#runItem(inputs, item, count);
      results.forEach((data, i) => collected[i]!.push(data));
    }
    return Object.fromEntries(
      this.outputs.map(({ name, shape }, i) => [
        name,
        { data: joined(collected[i]!), shape: [count, ...shape.slice(1).map(Number)] },
      ]),
    );
  }

  async #runItem(
    inputs: Readonly<Record<string, Tensor>>,
    item: number,
    count: number,
  ): Promise<Float32Array[]> {
    const given = this.inputs.map(({ name, shape }) => {
      const { data } = inputs[name]!;
      const size = data.length / count;
      const part = data.slice(item * size, (item + 1) * size);
      return new this.#lite.Tensor(part, [1, ...shape.slice(1).map(Number)]);
    });
    let results: LiteTensor[] = [];
    try {
      results = await this.#model.run(given);
      return await Promise.all(
        results.map(async (tensor) => Float32Array.from(await tensor.data())),
      );
    } catch (cause) {
      throw new ClmexError('engine-failed', 'the model failed', { field: this.#name, cause });
    } finally {
      for (const tensor of [...given, ...results]) tensor.delete();
    }
  }

  close(): Promise<void> {
    if (!this.#closed) this.#model.delete();
    this.#closed = true;
    return Promise.resolve();
  }
}

const describe = ({ name, shape }: TfliteTensor): TensorInfo => ({
  name,
  shape: ['batch', ...shape.slice(1)],
});
