import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeOnnx } from '../../encoder/formats/onnx.js';
import { readTflite } from '../../encoder/formats/tflite.js';
import { cacheDirectory } from '../cache.js';
import type { Engine, Session } from '../engine/engine.js';

/** Raised whenever the converter's output changes, so that old files are not taken for new ones. */
const CONVERTER = 3;

/**
 * Loads a .tflite model. Its conversion is kept in the user's cache under the hash of the model
 * and of how it was converted; a cache that cannot be read or written costs the conversion again and nothing else.
 * @throws ClmexError as readTflite and the engine throw.
 */
export async function loadTflite(
  engine: Engine,
  bytes: Uint8Array,
  name: string,
  directory = cacheDirectory(),
): Promise<Session> {
  const hash = createHash('sha256')
    .update(bytes)
    .update(JSON.stringify({ CONVERTER, ...engine.onnx }))
    .digest('hex');
  const path = join(directory, `${hash}.onnx`);
  const cached = await readFile(path).catch(() => undefined);
  if (cached !== undefined) {
    const session = await engine.load(cached, name).catch(() => undefined);
    if (session !== undefined) return session;
  }
  const converted = writeOnnx(readTflite(bytes, name), engine.onnx);
  const session = await engine.load(converted, name);
  await keep(path, directory, converted);
  return session;
}

async function keep(path: string, directory: string, bytes: Uint8Array): Promise<void> {
  const aside = join(directory, `.tmp-${randomUUID()}`);
  try {
    await mkdir(directory, { recursive: true });
    await writeFile(aside, bytes);
    await rename(aside, path);
  } catch {
    await rm(aside, { force: true }).catch(() => undefined);
  }
}
