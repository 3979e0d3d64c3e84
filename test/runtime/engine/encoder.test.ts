import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeOnnxInt8 } from '../../../encoder/formats/onnx-int8.js';
import { addVariants, loadModel, type Model } from '../../../encoder/index.js';
import { buildNetwork } from '../../../encoder/network.js';
import { quantizeGraph } from '../../../encoder/quantise/quantise.js';
import { createEngine } from '../../../runtime/engine/engine.js';
import { loadEncoder, type EncoderOptions } from '../../../runtime/engine/encoder.js';
import { faceLikeCrops, inputsOf, runOn } from '../../encoder/quantise/calibration.js';
import { TINY_NETWORK, writeRandomModel } from '../../support/random-model.js';

const crops = inputsOf(faceLikeCrops(4, 9));

describe('the encoder on the chosen engine', () => {
  let folder: string;
  let plain: Model;
  let both: Model;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clmex-encoder-'));
    plain = await loadModel(await writeRandomModel(join(folder, 'plain')));
    const path = await writeRandomModel(join(folder, 'both'));
    const engine = await createEngine({ kind: 'onnxruntime', threads: 1 });
    const options = { ranges: 'percentile', equalise: true, correctBiases: true } as const;
    const quantized = await quantizeGraph(plain.graph, [crops], runOn(engine), options);
    await addVariants(path, { 'int8.onnx': writeOnnxInt8(quantized) }, { int8: { tried: true } });
    both = await loadModel(path);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const embed = async (model: Model, options: Omit<EncoderOptions, 'threads'>) => {
    const { session, name } = await loadEncoder(model, { threads: 1, ...options }, folder);
    const outputs = await session.run({ crop: { data: crops, shape: [4, 64, 64, 1] } });
    await session.close();
    return { name, values: outputs['embedding']!.data };
  };

  it('is the same network on ONNX Runtime and on TensorFlow.js', async () => {
    const onnx = await embed(plain, { kind: 'onnxruntime' });
    const tfjs = await embed(plain, { kind: 'tfjs' });
    expect(tfjs.name).toMatch(/^tfjs .* fp32$/);
    tfjs.values.forEach((value, i) => expect(value).toBeCloseTo(onnx.values[i]!, 4));
  });

  it('runs the int8 form a package carries', async () => {
    const float = await embed(both, { kind: 'onnxruntime', precision: 'fp32' });
    const int8 = await embed(both, { kind: 'onnxruntime', precision: 'int8' });
    expect(int8.name).toMatch(/int8$/);
    expect(int8.values).not.toStrictEqual(float.values);
    const cosine = int8.values.reduce((sum, value, i) => sum + value * float.values[i]!, 0) / 4;
    expect(cosine).toBeGreaterThan(0.98);
  });

  it('refuses int8 where the package has none, and says what makes one', async () => {
    await expect(embed(plain, { kind: 'onnxruntime', precision: 'int8' })).rejects.toMatchObject({
      code: 'unsupported',
      field: 'engine.precision',
      allowed: expect.stringContaining('clmex quantise') as string,
    });
  });

  it('names package and command where an engine is not installed', async () => {
    await expect(embed(plain, { kind: 'tflite' })).rejects.toMatchObject({
      code: 'unsupported',
      field: 'engine.kind',
      allowed: expect.stringContaining('npm install @litertjs/core') as string,
    });
  });

  it('measures what this machine has under auto, and remembers it', async () => {
    const cache = await mkdtemp(join(folder, 'cache-'));
    const options = { kind: 'auto', precision: 'auto', threads: 1 } as const;
    const first = await loadEncoder(both, options, cache);
    await first.session.close();
    expect(first.name).toContain('fastest here');
    expect(await readdir(cache)).toHaveLength(1);
    const second = await loadEncoder(both, options, cache);
    await second.session.close();
    expect(second.name).toContain('when measured here');
  });
});

describe('a provider this machine does not have', () => {
  it('falls back to the CPU, says so in the name, and computes the same', async () => {
    const cpu = await createEngine({ kind: 'onnxruntime', threads: 1 });
    const cuda = await createEngine({ kind: 'onnxruntime', threads: 1, provider: 'cuda' });
    const graph = buildNetwork(TINY_NETWORK, 3);
    const feeds = { crop: { data: crops, shape: [4, 64, 64, 1] } };
    const sessions = await Promise.all([cpu, cuda].map((engine) => engine.load(graph, 'tiny')));
    const [expected, got] = await Promise.all(sessions.map((session) => session.run(feeds)));
    await Promise.all(sessions.map((session) => session.close()));
    // On a machine with a GPU the name is plain and the numbers are only near.
    expect(cuda.name).toMatch(/cpu \(cuda failed\)$|cuda$/);
    got!['embedding']!.data.forEach((value, i) =>
      expect(value).toBeCloseTo(expected!['embedding']!.data[i]!, 3),
    );
  });
});
