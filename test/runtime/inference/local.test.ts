import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadModel } from '../../../encoder/index.js';
import { buildNetwork } from '../../../encoder/network.js';
import { EmbedStage } from '../../../runtime/embed/embed.js';
import { createEngine } from '../../../runtime/engine/engine.js';
import { LocalInference } from '../../../runtime/inference/local.js';
import { TINY_NETWORK, writeRandomModel } from '../../support/random-model.js';

describe('inference', () => {
  let folder: string;
  let inference: LocalInference;
  const view = {
    crop: Uint8Array.from({ length: 64 * 64 }, (_, i) => i % 251),
    landmarks: new Float32Array(3 * 468),
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clmex-inference-'));
    await writeRandomModel(join(folder, 'first'), { seed: 1 });
    await writeRandomModel(join(folder, 'second'), { seed: 2 });
    inference = await LocalInference.load({
      engine: { kind: 'onnxruntime', threads: 1 },
      model: join(folder, 'first'),
      faces: { detector: 'short', maxFaces: 1 },
    });
  });
  afterAll(async () => {
    await inference.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('goes on with the old model while a new one is made ready, and takes it when told', async () => {
    const [before] = await inference.embed([view]);
    await inference.prepare(join(folder, 'second'));
    expect((await inference.embed([view]))[0]).toStrictEqual(before);
    await inference.adopt();
    const [after] = await inference.embed([view]);
    expect(after).not.toStrictEqual(before);
    await inference.prepare(join(folder, 'first'));
    await inference.adopt();
    expect((await inference.embed([view]))[0]).toStrictEqual(before);
  });

  it('keeps the old model where the new one is cut short, altered or missing', async () => {
    const [before] = await inference.embed([view]);
    const cut = await writeRandomModel(join(folder, 'cut'));
    await truncate(join(cut, 'weights.bin'), 1000);
    await expect(inference.prepare(cut)).rejects.toMatchObject({ code: 'model-invalid' });
    const altered = await writeRandomModel(join(folder, 'altered'));
    await writeFile(join(altered, 'network.json'), '{}');
    await expect(inference.prepare(altered)).rejects.toMatchObject({ code: 'model-invalid' });
    await expect(inference.prepare(join(folder, 'none'))).rejects.toMatchObject({ code: 'not-found' }); // prettier-ignore
    await inference.adopt();
    expect((await inference.embed([view]))[0]).toStrictEqual(before);
  });

  it('answers no views with no embeddings', async () => {
    expect(await inference.embed([])).toStrictEqual([]);
  });

  it('says that an embedding is not finite instead of passing it on', async () => {
    const model = await loadModel(join(folder, 'first'));
    const engine = await createEngine({ kind: 'onnxruntime', threads: 1 });
    const stage = new EmbedStage(
      { ...model, prepare: (_, out) => out.fill(NaN) },
      await engine.load(model.graph, 'tiny'),
    );
    await expect(stage.push([view])).rejects.toMatchObject({ code: 'engine-failed' });
    await stage.close();
  });
});

describe('a device that fails while it runs', () => {
  it('is given up for the CPU, and the name says so', async () => {
    const graph = buildNetwork(TINY_NETWORK, 3);
    const feeds = { crop: { data: new Float32Array(64 * 64).fill(0.5), shape: [1, 64, 64, 1] } };
    const create = ort.InferenceSession.create.bind(ort.InferenceSession) as (
      bytes: Uint8Array,
      options: ort.InferenceSession.SessionOptions,
    ) => Promise<ort.InferenceSession>;
    const spy = vi.spyOn(ort.InferenceSession, 'create').mockImplementation((async (
      bytes: Uint8Array,
      { executionProviders, ...options }: ort.InferenceSession.SessionOptions,
    ) => {
      const session = await create(bytes, options);
      // Listed and loaded, and out of memory at the first run.
      if (executionProviders !== undefined)
        session.run = () => Promise.reject(new Error('CUDA failure 2: out of memory'));
      return session;
    }) as typeof ort.InferenceSession.create);
    try {
      const engine = await createEngine({ kind: 'onnxruntime', threads: 1, provider: 'cuda' });
      const session = await engine.load(graph, 'tiny');
      expect(engine.name).toMatch(/ cuda$/);
      const outputs = await session.run(feeds);
      expect(outputs['embedding']!.data.every(Number.isFinite)).toBe(true);
      expect(engine.name).toMatch(/cpu \(cuda failed\)$/);
      await session.close();
    } finally {
      spy.mockRestore();
    }
  });
});
