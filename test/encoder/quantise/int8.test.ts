import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeOnnxInt8 } from '../../../encoder/formats/onnx-int8.js';
import { buildNetwork, NETWORKS } from '../../../encoder/network.js';
import { runInteger } from '../../../encoder/quantise/integer.js';
import { quantizeGraph } from '../../../encoder/quantise/quantise.js';
import { quantize, type QuantizedGraph } from '../../../encoder/quantise/scheme.js';
import { createOnnxRuntime } from '../../../runtime/engine/onnxruntime.js';
import { faceLikeCrops, inputsOf, runOn } from './calibration.js';
import { operatorsOf } from './onnx-operators.js';

const engine = createOnnxRuntime(1);
const AREA = 64 * 64;

describe('an int8 encoder', () => {
  const graph = buildNetwork(NETWORKS.small, 7);
  let quantized: QuantizedGraph;
  let folder: string;

  beforeAll(async () => {
    const batches = [1, 2, 3, 4].map((seed) => inputsOf(faceLikeCrops(16, seed)));
    quantized = await quantizeGraph(graph, batches, runOn(engine), {
      ranges: 'mse',
      equalise: true,
      correctBiases: true,
    });
    folder = await mkdtemp(join(tmpdir(), 'clmex-int8-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('embeds unseen crops as the float network does', async () => {
    const crops = inputsOf(faceLikeCrops(16, 99));
    const float = await embed(graph, crops);
    const int8 = await embed(writeOnnxInt8(quantized), crops);
    const cosines = rows(float).map((row, i) => dot(row, rows(int8)[i]!));
    expect(mean(cosines)).toBeGreaterThan(0.995);
  });

  it('differs from the integer reference by at most one step, in less than 1 % of numbers', async () => {
    const graph = { ...quantized.graph, outputs: [{ name: 'project', shape: [1, 128] }] };
    const cut = { ...quantized, graph: { ...graph, layers: graph.layers.slice(0, -1) } };
    const crops = inputsOf(faceLikeCrops(8, 5));
    const floats = await embed(writeOnnxInt8(cut), crops, 'project');
    const params = quantized.tensors.get('project')!;
    let other = 0;
    for (let item = 0; item < 8; item++) {
      const reference = runInteger(cut, crops.subarray(item * AREA, (item + 1) * AREA)).bytes;
      reference.get('project')!.forEach((byte, i) => {
        const got = quantize(floats[item * 128 + i]!, params);
        expect(Math.abs(got - byte)).toBeLessThanOrEqual(1);
        if (got !== byte) other++;
      });
    }
    expect(other).toBeLessThan(0.01 * 8 * 128);
  });

  it('has every block fused by ONNX Runtime: no layer is left in float', async () => {
    const path = join(folder, 'optimised.onnx');
    const session = await ort.InferenceSession.create(writeOnnxInt8(quantized), {
      optimizedModelFilePath: path,
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
    });
    await session.release();
    const operators = operatorsOf(await readFile(path));
    const count = (name: string): number => operators.filter((op) => op === name).length;
    const layers = (kind: string): number =>
      quantized.graph.layers.filter((layer) => layer.kind === kind).length;
    expect(count('QLinearConv')).toBe(layers('conv2d'));
    expect(count('QLinearAdd')).toBe(layers('add'));
    expect(count('QGemm')).toBe(layers('dense'));
    expect(operators).not.toContain('Conv');
    expect(operators).not.toContain('Gemm');
    expect(operators).not.toContain('Relu');
    expect(count('QuantizeLinear')).toBe(1);
    // Bytes become floats once, behind the last layer.
    const rest = operators.slice(operators.indexOf('QGemm') + 1);
    expect(rest).toStrictEqual(['DequantizeLinear', 'LpNormalization']);
  });

  it('stores what a ReLU makes with zero point 0', () => {
    for (const layer of quantized.graph.layers) {
      if ('activation' in layer && layer.activation === 'relu')
        expect(quantized.tensors.get(layer.name)!.zeroPoint).toBe(0);
    }
  });
});

async function embed(
  model: Parameters<typeof engine.load>[0],
  crops: Float32Array,
  output = 'embedding',
): Promise<Float32Array> {
  const session = await engine.load(model, 'encoder');
  const shape = [crops.length / AREA, 64, 64, 1];
  const outputs = await session.run({ crop: { data: crops, shape } });
  await session.close();
  return outputs[output]!.data;
}

const rows = (all: Float32Array): Float32Array[] =>
  Array.from({ length: all.length / 128 }, (_, i) => all.subarray(i * 128, (i + 1) * 128));
const dot = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
