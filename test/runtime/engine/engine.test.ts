import { describe, expect, it } from 'vitest';
import type { Graph } from '../../../encoder/graph.js';
import { writeOnnx } from '../../../encoder/formats/onnx.js';
import { createEngine, type EngineOptions } from '../../../runtime/engine/engine.js';

const graph: Graph = {
  name: 'double',
  inputs: [{ name: 'x', shape: [1, 3] }],
  outputs: [{ name: 'y', shape: [1, 3] }],
  layers: [{ kind: 'add', name: 'y', inputs: ['x', 'x'], activation: 'none' }],
};
const x = { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] };

describe('the engine', () => {
  it('runs a graph and the file written from it alike, over any batch', async () => {
    const engine = await createEngine({ kind: 'onnxruntime', threads: 1 });
    expect(engine.name).toMatch(/^onnxruntime \d+\.\d+/);
    for (const model of [graph, writeOnnx(graph)]) {
      const session = await engine.load(model, 'double');
      expect(session.outputs.map(({ name }) => name)).toEqual(['y']);
      const { y } = await session.run({ x });
      expect([Array.from(y!.data), y!.shape]).toEqual([[2, 4, 6, 8, 10, 12], [2, 3]]); // prettier-ignore
      await session.close();
    }
  });

  it('gives every item of a batch of large ones its own result', async () => {
    const engine = await createEngine({ kind: 'onnxruntime', threads: 1 });
    const length = 40_000;
    const wide = { ...graph, inputs: [{ name: 'x', shape: [1, length] }], outputs: [{ name: 'y', shape: [1, length] }] }; // prettier-ignore
    const session = await engine.load(wide, 'double');
    const data = Float32Array.from({ length: 3 * length }, (_, i) => i);
    const { y } = await session.run({ x: { data, shape: [3, length] } });
    expect(y!.shape).toEqual([3, length]);
    expect(y!.data).toEqual(data.map((value) => 2 * value));
    await session.close();
  });

  it('names the model that is wrong, missing its input, or closed', async () => {
    const engine = await createEngine({ kind: 'onnxruntime', threads: 1 });
    const broken = engine.load(new Uint8Array([1, 2, 3]), 'my model');
    await expect(broken).rejects.toMatchObject({ code: 'model-invalid', field: 'my model' });
    const session = await engine.load(graph, 'double');
    await expect(session.run({})).rejects.toMatchObject({ code: 'engine-failed', field: 'double' });
    await session.close();
    await session.close();
    await expect(session.run({ x })).rejects.toMatchObject({ code: 'closed' });
  });

  it('is one of those that are known, with at least one thread', async () => {
    const unknown = { kind: 'abacus', threads: 1 } as unknown as EngineOptions;
    await expect(createEngine(unknown)).rejects.toMatchObject({
      code: 'invalid-config',
      field: 'engine.kind',
      allowed: 'onnxruntime, tflite, tfjs',
    });
    const none = createEngine({ kind: 'onnxruntime', threads: 0 });
    await expect(none).rejects.toMatchObject({ code: 'invalid-config', field: 'engine.threads' });
  });
});
