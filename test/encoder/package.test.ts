import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadModel, withPrior } from '../../encoder/index.js';
import { writeRandomModel } from '../support/random-model.js';

const FRONTAL = { yawDeg: 0, pitchDeg: 0, rollDeg: 0, quality: 1 };

describe('a model package', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clmex-model-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const edit = async (file: string, change: (text: string) => string): Promise<string> => {
    const directory = await writeRandomModel(join(folder, 'model'));
    const path = join(directory, file);
    await writeFile(path, change(await readFile(path, 'utf8')));
    return directory;
  };

  it('comes back from disk with the very weights that were saved', async () => {
    const [a, b] = await Promise.all([
      loadModel(await writeRandomModel(join(folder, 'a'), { seed: 5 })),
      loadModel(await writeRandomModel(join(folder, 'b'), { seed: 5 })),
    ]);
    expect(a.graph).toEqual(b.graph);
    expect(a.manifest.files['weights.bin']).toEqual(b.manifest.files['weights.bin']);
    expect(a.manifest.labels).toHaveLength(7);
  });

  it('replaces an older package and leaves nothing else behind', async () => {
    await writeRandomModel(join(folder, 'model'), { seed: 1 });
    const before = (await loadModel(join(folder, 'model'))).manifest;
    await writeRandomModel(join(folder, 'model'), { seed: 2 });
    const after = (await loadModel(join(folder, 'model'))).manifest;
    expect(after.files['weights.bin']).not.toEqual(before.files['weights.bin']);
    expect(await readdir(folder)).toEqual(['model']);
  });

  it('fuses views into probabilities and weights that each sum to one', async () => {
    const model = await loadModel(await writeRandomModel(join(folder, 'model')));
    const embeddings = [1, 2, 3].map((k) => unit(16, k));
    const { probabilities, weights } = model.fuse(embeddings, [FRONTAL, { ...FRONTAL, yawDeg: 60 }, FRONTAL]); // prettier-ignore
    expect(probabilities.reduce((a, b) => a + b)).toBeCloseTo(1, 10);
    expect(weights.reduce((a, b) => a + b)).toBeCloseTo(1, 10);
    expect(weights).toHaveLength(3);
  });

  it('weighs labels by the prior it is given', async () => {
    const model = await loadModel(await writeRandomModel(join(folder, 'model')));
    const prior = [0.7, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05];
    const plain = model.fuse([unit(16, 1)], [FRONTAL]).probabilities;
    const kiosk = withPrior(model, prior).fuse([unit(16, 1)], [FRONTAL]).probabilities;
    const expected = plain.map((p, i) => p * prior[i]!);
    const total = expected.reduce((a, b) => a + b);
    kiosk.forEach((p, i) => expect(p).toBeCloseTo(expected[i]! / total, 6));
    expect(() => withPrior(model, [1])).toThrow(/prior.*7 positive numbers/s);
  });

  it('names the file whose bytes have changed', async () => {
    const directory = await edit('network.json', (text) => text.replace('relu', 'none'));
    await expect(loadModel(directory)).rejects.toMatchObject({ code: 'model-invalid', field: 'files.network.json' }); // prettier-ignore
  });

  it.each([
    ['a version before this one', '"version": 4', '"version": 3', 'manifest.json:version'],
    ['a prior that does not sum to one', '"prior": [', '"prior": [0.5,', 'manifest.json:prior'],
    ['a label that stands twice', '"sadness"', '"neutral"', 'manifest.json:labels'],
    ['another crop than the network has', '"size": 64', '"size": 48', 'graph.inputs'],
  ])('refuses %s', async (_, from, to, field) => {
    const directory = await edit('manifest.json', (text) => text.replace(from, to));
    await expect(loadModel(directory)).rejects.toMatchObject({ code: 'model-invalid', field });
  });

  it('says that a folder without manifest is no package', async () => {
    await expect(loadModel(folder)).rejects.toMatchObject({ code: 'not-found', value: folder });
  });

  it('refuses weights that are not finite before anything is written', async () => {
    const { saveModel } = await import('../../encoder/index.js');
    const model = await loadModel(await writeRandomModel(join(folder, 'model')));
    const query = { ...model.head.query, data: new Float32Array(16).fill(NaN) };
    const network = { graph: model.graph, head: { ...model.head, query } };
    await expect(saveModel(join(folder, 'nan'), model.manifest, network)).rejects.toMatchObject({
      code: 'model-invalid',
      field: 'head.query',
    });
    expect(await readdir(folder)).toEqual(['model']);
  });
});

function unit(width: number, seed: number): Float32Array {
  const values = Float32Array.from({ length: width }, (_, i) => Math.sin(seed * (i + 1)));
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}
