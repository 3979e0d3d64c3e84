import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { ClmexError } from '../../core/errors.js';
import { writeOnnxHalf } from '../../encoder/formats/onnx-half.js';
import type { Model } from '../../encoder/index.js';
import { createEngine, type EngineKind, type Provider, type Session } from './engine.js';

export const ENCODER_ENGINES = ['onnxruntime', 'tflite', 'tfjs', 'auto'] as const;
export const PRECISIONS = ['fp32', 'fp16', 'int8', 'auto'] as const;
type Precision = Exclude<(typeof PRECISIONS)[number], 'auto'>;

/** What the encoder runs on; the face models always run on ONNX Runtime. */
export interface EncoderOptions {
  readonly kind: (typeof ENCODER_ENGINES)[number];
  /** `auto`: the fastest of those the model package has; `fp32` where left out. */
  readonly precision?: (typeof PRECISIONS)[number] | undefined;
  readonly threads: number;
  /** Where onnxruntime computes; `cpu` where left out. */
  readonly provider?: Provider | undefined;
}

export interface LoadedEncoder {
  readonly session: Session;
  /** For people: engine, precision and, where it was measured, why. Changes where a device fails. */
  readonly name: string;
}

interface Way {
  readonly kind: EngineKind;
  readonly precision: Precision;
}

/** A way that was tried: its median for {@link VIEWS} views, or what went wrong. */
interface Tried extends Way {
  readonly ms?: number | undefined;
  readonly failure?: string | undefined;
}

/**
 * Makes the encoder ready. `auto` times every way this machine can run it at the first start and
 * remembers them in `cache`, under the processor, the model and the threads.
 * @throws ClmexError `unsupported` where an engine is not installed, or the package has no int8 form
 *   for it.
 */
export async function loadEncoder(
  model: Model,
  options: EncoderOptions,
  cache: string,
): Promise<LoadedEncoder> {
  const ways = waysOf(model, options);
  if (ways.length === 1) return loadWay(model, ways[0]!, options);
  const path = join(cache, `engine-${keyOf(model, options)}.json`);
  const tried = await remembered(path, ways);
  const [best] = tried;
  if (best !== undefined) {
    const loaded = await loadWay(model, best, options).catch(() => undefined);
    if (loaded !== undefined) return explained(loaded, tried, 'when measured here');
  }
  return fastest(model, ways, options, path);
}

function waysOf(
  { variants }: Model,
  { kind, precision = 'fp32', provider = 'cpu' }: EncoderOptions,
): Way[] {
  const kinds: readonly EngineKind[] = kind === 'auto' ? ['onnxruntime', 'tflite', 'tfjs'] : [kind];
  const has = (each: EngineKind, one: Precision): boolean => {
    if (one === 'int8') return variants.has(int8FileOf(each, provider));
    // Processors compute in float32 what is float16: slower than float32 itself.
    if (one === 'fp16') return each === 'onnxruntime' && (precision === 'fp16' || provider !== 'cpu'); // prettier-ignore
    return true;
  };
  const ways = kinds.flatMap((each) =>
    (['fp32', 'fp16', 'int8'] as const)
      .filter((one) => (precision === 'auto' || precision === one) && has(each, one))
      .map((one): Way => ({ kind: each, precision: one })),
  );
  if (ways.length > 0) return ways;
  const allowed =
    precision === 'fp16'
      ? 'fp32 or int8; fp16 runs on onnxruntime'
      : 'fp32, or a package that `clmex quantise` was run on, with onnxruntime or tflite';
  throw new ClmexError('unsupported', `the model package has no ${precision} form for this engine`, { field: 'engine.precision', value: precision, allowed }); // prettier-ignore
}

/** TensorRT takes symmetric numbers only. */
function int8FileOf(kind: EngineKind, provider: Provider): string {
  if (kind === 'onnxruntime' && provider === 'tensorrt') return 'int8-symmetric.onnx';
  return { onnxruntime: 'int8.onnx', tflite: 'int8.tflite', tfjs: '' }[kind];
}

async function loadWay(
  model: Model,
  { kind, precision }: Way,
  { threads, provider = 'cpu' }: EncoderOptions,
): Promise<LoadedEncoder> {
  const engine = await createEngine({ kind, threads, provider });
  const form = {
    fp32: () => model.graph,
    fp16: () => writeOnnxHalf(model.graph),
    int8: () => model.variants.get(int8FileOf(kind, provider))!,
  }[precision]();
  const session = await engine.load(form, model.manifest.name);
  return {
    session,
    get name() {
      return `${engine.name} ${precision}`;
    },
  };
}

async function fastest(
  model: Model,
  ways: readonly Way[],
  options: EncoderOptions,
  path: string,
): Promise<LoadedEncoder> {
  let best: { loaded: LoadedEncoder; ms: number } | undefined;
  let first: unknown;
  const tried: Tried[] = [];
  for (const way of ways) {
    try {
      const loaded = await loadWay(model, way, options);
      const ms = await timeOf(model, loaded.session);
      tried.push({ ...way, ms });
      const slower = best === undefined || ms < best.ms ? best?.loaded : loaded;
      if (slower !== loaded) best = { loaded, ms };
      await slower?.session.close();
    } catch (error) {
      // Not installed, or it does not run here: the others may.
      first ??= error;
      tried.push({ ...way, failure: reasonOf(error) });
    }
  }
  if (best === undefined) throw first;
  tried.sort((a, b) => (a.ms ?? Infinity) - (b.ms ?? Infinity));
  await remember(path, tried);
  return explained(best.loaded, tried, 'here');
}

const reasonOf = (error: unknown): string =>
  error instanceof ClmexError && error.code === 'unsupported'
    ? 'not installed'
    : error instanceof Error
      ? error.message
      : String(error);

/** @param tried fastest first. */
function explained(loaded: LoadedEncoder, tried: readonly Tried[], where: string): LoadedEncoder {
  const times = tried.map(({ kind, precision, ms, failure }) =>
    `${kind} ${precision} ${ms === undefined ? (failure ?? '') : `${ms.toFixed(2)} ms`}`); // prettier-ignore
  return {
    session: loaded.session,
    get name() {
      return `${loaded.name} (fastest ${where}, ${VIEWS} views: ${times.join(', ')})`;
    },
  };
}

const VIEWS = 4;
const ROUNDS = 15;

/** Median of some runs of four views, after warming up. */
async function timeOf(model: Model, session: Session): Promise<number> {
  const { size } = model.manifest.crop;
  const data = Float32Array.from({ length: VIEWS * size * size }, (_, i) => ((i * 7919) % 256) / 64 - 2); // prettier-ignore
  const feeds = { [model.graph.inputs[0]!.name]: { data, shape: [VIEWS, size, size, 1] } };
  const times: number[] = [];
  for (let round = -3; round < ROUNDS; round++) {
    const from = performance.now();
    await session.run(feeds);
    if (round >= 0) times.push(performance.now() - from);
  }
  return times.sort((a, b) => a - b)[ROUNDS >> 1]!;
}

function keyOf({ manifest }: Model, options: EncoderOptions): string {
  const facts = { cpu: cpus()[0]?.model, cores: cpus().length, files: manifest.files, ...options };
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16);
}

async function remembered(path: string, ways: readonly Way[]): Promise<readonly Tried[]> {
  try {
    const tried = rememberedSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    const known = ways.every((way) =>
      tried.some(({ kind, precision }) => kind === way.kind && precision === way.precision),
    );
    return known && tried[0]?.ms !== undefined ? tried : [];
  } catch {
    return [];
  }
}

const rememberedSchema = z.array(
  z.strictObject({
    kind: z.enum(['onnxruntime', 'tflite', 'tfjs']),
    precision: z.enum(['fp32', 'fp16', 'int8']),
    ms: z.number().positive().optional(),
    failure: z.string().optional(),
  }),
);

/** A cache that cannot be written costs measuring again and nothing else. */
async function remember(path: string, tried: readonly Tried[]): Promise<void> {
  const aside = `${path}.tmp-${process.pid}`;
  try {
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(aside, JSON.stringify(tried));
    await rename(aside, path);
  } catch {
    return;
  }
}
