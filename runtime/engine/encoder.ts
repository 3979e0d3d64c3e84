import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { ClmexError } from '../../core/errors.js';
import type { Model } from '../../encoder/index.js';
import {
  createEngine,
  type Engine,
  type EngineKind,
  type Provider,
  type Session,
} from './engine.js';

export const ENCODER_ENGINES = ['onnxruntime', 'tflite', 'tfjs', 'auto'] as const;
export const PRECISIONS = ['fp32', 'int8', 'auto'] as const;

/** What the encoder runs on; the face models always run on ONNX Runtime. */
export interface EncoderOptions {
  readonly kind: (typeof ENCODER_ENGINES)[number];
  /** `auto`: the faster of those the model package has; `fp32` where left out. */
  readonly precision?: (typeof PRECISIONS)[number] | undefined;
  readonly threads: number;
  /** Where onnxruntime computes; `cpu` where left out. */
  readonly provider?: Provider | undefined;
}

export interface LoadedEncoder {
  readonly session: Session;
  /** For people: engine, precision and, where it was measured, why. */
  readonly name: string;
}

interface Way {
  readonly kind: EngineKind;
  readonly precision: 'fp32' | 'int8';
}

/**
 * Makes the encoder ready. `auto` times every way this machine can run it at the first start and
 * remembers the fastest in `cache`, under the processor, the model and the threads.
 * @throws ClmexError `unsupported` where an engine is not installed, or the package has no int8 form
 *   for it.
 */
export async function loadEncoder(
  model: Model,
  options: EncoderOptions,
  cache: string,
): Promise<LoadedEncoder> {
  const ways = waysOf(model, options);
  if (ways.length === 1) {
    const [way] = ways as [Way];
    const { session, engine } = await loadWay(model, way, options);
    return { session, name: `${engine.name} ${way.precision}` };
  }
  const path = join(cache, `engine-${keyOf(model, options)}.json`);
  const known = await remembered(path, ways);
  if (known !== undefined) {
    const loaded = await loadWay(model, known, options).catch(() => undefined);
    if (loaded !== undefined)
      return { session: loaded.session, name: `${loaded.engine.name} ${known.precision} (fastest when measured here)` }; // prettier-ignore
  }
  return fastest(model, ways, options, path);
}

function waysOf({ variants }: Model, { kind, precision = 'fp32' }: EncoderOptions): Way[] {
  const kinds: readonly EngineKind[] = kind === 'auto' ? ['onnxruntime', 'tflite'] : [kind];
  const ways = kinds.flatMap((each) =>
    (['fp32', 'int8'] as const)
      .filter((one) => precision === 'auto' || precision === one)
      .filter((one) => one === 'fp32' || variants.has(fileOf(each)))
      .map((one): Way => ({ kind: each, precision: one })),
  );
  if (ways.length > 0) return ways;
  throw new ClmexError('unsupported', 'the model package has no int8 form for this engine', {
    field: 'engine.precision',
    value: precision,
    allowed: 'fp32, or a package that `clmex quantise` was run on, with onnxruntime or tflite',
  });
}

const fileOf = (kind: EngineKind): string =>
  ({ onnxruntime: 'int8.onnx', tflite: 'int8.tflite', tfjs: '' })[kind];

async function loadWay(
  model: Model,
  { kind, precision }: Way,
  { threads, provider }: EncoderOptions,
): Promise<{ session: Session; engine: Engine }> {
  const engine = await createEngine({ kind, threads, provider });
  const form = precision === 'int8' ? model.variants.get(fileOf(kind))! : model.graph;
  return { session: await engine.load(form, model.manifest.name), engine };
}

async function fastest(
  model: Model,
  ways: readonly Way[],
  options: EncoderOptions,
  path: string,
): Promise<LoadedEncoder> {
  let best: { way: Way; session: Session; engine: Engine; ms: number } | undefined;
  let failure: unknown;
  for (const way of ways) {
    try {
      const { session, engine } = await loadWay(model, way, options);
      const ms = await timeOf(model, session);
      if (best === undefined || ms < best.ms) {
        await best?.session.close();
        best = { way, session, engine, ms };
      } else await session.close();
    } catch (error) {
      failure = error; // Not installed, or it does not run here: the others may.
    }
  }
  if (best === undefined) throw failure;
  await remember(path, best.way);
  return { session: best.session, name: `${best.engine.name} ${best.way.precision} (fastest here: ${best.ms.toFixed(2)} ms for 4 views)` }; // prettier-ignore
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

async function remembered(path: string, ways: readonly Way[]): Promise<Way | undefined> {
  try {
    const { kind, precision } = JSON.parse(await readFile(path, 'utf8')) as Partial<Way>;
    return ways.find((way) => way.kind === kind && way.precision === precision);
  } catch {
    return undefined;
  }
}

/** A cache that cannot be written costs measuring again and nothing else. */
async function remember(path: string, way: Way): Promise<void> {
  const aside = `${path}.tmp-${process.pid}`;
  try {
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(aside, JSON.stringify(way));
    await rename(aside, path);
  } catch {
    return;
  }
}
