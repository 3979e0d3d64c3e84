import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOnnxRuntime } from '../../../runtime/engine/onnxruntime.js';
import { loadTflite } from '../../../runtime/faces/model-cache.js';
import { packagedModels } from '../../../runtime/faces/models.js';
import { Cli } from '../../support/cli.js';

describe('the cache of converted models', () => {
  const engine = createOnnxRuntime(1);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clmex-cache-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('keeps one file a model and mends a broken one', async () => {
    const { short } = await packagedModels();
    await (await loadTflite(engine, short, 'short', folder)).close();
    const [file] = await readdir(folder);
    expect(await readdir(folder)).toHaveLength(1);
    const whole = await readFile(join(folder, file!));
    await writeFile(join(folder, file!), whole.subarray(0, 1000));
    await (await loadTflite(engine, short, 'short', folder)).close();
    expect(await readFile(join(folder, file!))).toEqual(whole);
  });

  it.each(['/dev/null/cache', '/sys/cache'])('does without a folder it cannot write: %s', async (nowhere) => {
    const { short } = await packagedModels();
    const session = await loadTflite(engine, short, 'short', nowhere);
    expect(session.outputs).toHaveLength(2);
    await session.close();
  }); // prettier-ignore

  it('is filled by several processes at once without a broken or a leftover file', async () => {
    const blank = join(folder, 'blank.png');
    await sharp({ create: { width: 64, height: 64, channels: 3, background: 'grey' } }).toFile(blank); // prettier-ignore
    const cache = join(folder, 'cold');
    const find = () => new Cli(['faces', blank, '--json'], { CLMEX_CACHE: cache }).finished;
    for (const { code, stdout } of await Promise.all([find(), find(), find()])) {
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject([{ width: 64, height: 64, faces: [] }]);
    }
    const files = (await readdir(cache)).sort();
    expect(files).toHaveLength(3); // both ranges and the mesh
    for (const file of files) expect(file).toMatch(/^[0-9a-f]{64}\.onnx$/);
    const { mesh } = await packagedModels();
    await (await loadTflite(engine, mesh, 'mesh', cache)).close();
    expect((await readdir(cache)).sort()).toEqual(files);
  });
});
