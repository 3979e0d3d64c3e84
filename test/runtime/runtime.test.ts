import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Runtime as RuntimeClass } from '../../runtime/runtime.js';
import { parseConfig } from '../../runtime/config.js';
import { childrenOf } from '../support/processes.js';
import { writeRandomModel } from '../support/random-model.js';

// The built one: its worker threads lie beside it.
const { Runtime } = (await import(new URL('../../dist/runtime.js', import.meta.url).href)) as {
  Runtime: typeof RuntimeClass;
};

describe('a runtime whose engine or model is bad', () => {
  let folder: string;
  let runtime: RuntimeClass;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clmex-runtime-'));
    const source = { kind: 'recording', path: 'samples/recordings/two-people.mcap', loop: true };
    runtime = await Runtime.start(
      parseConfig({
        cameras: [{ id: 'camera-1', source }],
        model: await writeRandomModel(join(folder, 'first')),
        engine: { provider: 'cuda', threads: 1 },
        stream: { port: 0 },
      }),
    );
  }, 60_000);
  afterAll(async () => {
    await runtime.close();
    await rm(folder, { recursive: true, force: true });
  });

  const served = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      const stop = runtime.on('scores', () => {
        stop();
        resolve();
      });
    });
  };

  it('goes on on the CPU where the provider asked for is not to be had, and its status says so', async () => {
    await served();
    expect(runtime.status().engine).toMatch(/cpu \(cuda failed\)/);
  });

  it('keeps serving the old model where the new one is cut short or has other labels', async () => {
    const cut = await writeRandomModel(join(folder, 'cut'));
    await truncate(join(cut, 'weights.bin'), 100);
    await expect(runtime.swapModel(cut)).rejects.toMatchObject({ code: 'model-invalid' });
    const other = await writeRandomModel(join(folder, 'other'));
    const manifest = await readFile(join(other, 'manifest.json'), 'utf8');
    await writeFile(join(other, 'manifest.json'), manifest.replace('"anger"', '"wrath"'));
    await expect(runtime.swapModel(other)).rejects.toMatchObject({
      code: 'invalid-argument',
      field: 'model.labels',
    });
    await served();
  });

  it('refuses a model whose labels are not as many as its head answers for', async () => {
    const fewer = await writeRandomModel(join(folder, 'fewer'));
    const path = join(fewer, 'manifest.json');
    const manifest = JSON.parse(await readFile(path, 'utf8')) as { labels: string[]; prior: number[] }; // prettier-ignore
    const six = { ...manifest, labels: manifest.labels.slice(1), prior: Array(6).fill(1 / 6) };
    await writeFile(path, JSON.stringify(six));
    await expect(runtime.swapModel(fewer)).rejects.toMatchObject({ code: 'model-invalid' });
    await served();
  });
});

describe('a runtime whose camera breaks off for a moment', () => {
  it('says so and why at once, not only in its regular looks', async () => {
    const pipeline = 'videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=15/1';
    const folder = await mkdtemp(join(tmpdir(), 'clmex-runtime-'));
    const runtime = await Runtime.start(
      parseConfig({
        cameras: [{ id: 'left', source: { kind: 'gstreamer', pipeline } }],
        model: await writeRandomModel(join(folder, 'model')),
        stream: { port: 0 },
      }),
    );
    try {
      const seen: string[] = [];
      runtime.on('status', ({ cameras }) => {
        const { state, detail } = cameras[0]!;
        const now = `${state} ${detail ?? ''}`.trim();
        if (seen.at(-1) !== now) seen.push(now);
      });
      await expect.poll(() => seen.at(-1)).toBe('live');
      const decoder = (await childrenOf()).find(({ name }) => name.startsWith('gst-launch'))!;
      process.kill(decoder.pid, 'SIGKILL');
      await expect.poll(() => seen.slice(-2)).toEqual([expect.stringMatching(/^reconnecting .*SIGKILL/), 'live']); // prettier-ignore
    } finally {
      await runtime.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
