import protobuf from 'protobufjs/light.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeOnnxSymmetric } from '../../../encoder/formats/onnx-symmetric.js';
import { buildNetwork, NETWORKS } from '../../../encoder/network.js';
import { quantizeGraph } from '../../../encoder/quantise/quantise.js';
import { createOnnxRuntime } from '../../../runtime/engine/onnxruntime.js';
import { faceLikeCrops, inputsOf, runOn } from '../quantise/calibration.js';

const engine = createOnnxRuntime(1);
const graph = buildNetwork(NETWORKS.small, 7);
const crops = inputsOf(faceLikeCrops(16, 4));

describe('the int8 file for TensorRT', () => {
  let bytes: Uint8Array;

  beforeAll(async () => {
    const options = { ranges: 'mse', equalise: true, correctBiases: true } as const;
    bytes = writeOnnxSymmetric(await quantizeGraph(graph, [crops], runOn(engine), options));
  });

  it('embeds as the float network does', async () => {
    const feeds = { crop: { data: crops, shape: [16, 64, 64, 1] } };
    const [float, int8] = [await engine.load(graph, 'fp32'), await engine.load(bytes, 'int8')];
    const [a, b] = [(await float.run(feeds))['embedding']!, (await int8.run(feeds))['embedding']!];
    const cosine = a.data.reduce((sum, value, i) => sum + value * b.data[i]!, 0) / 16;
    expect(cosine).toBeGreaterThan(0.99);
    await Promise.all([float.close(), int8.close()]);
  });

  it('has signed bytes around zero point 0, and biases in float', () => {
    const { nodes, initializers } = contentsOf(bytes);
    const [int8, int32] = [3, 6];
    const zeros = initializers.filter(({ name }) => name.endsWith('/zero'));
    expect(zeros.length).toBeGreaterThan(10);
    for (const { dataType, rawData } of zeros) {
      expect(dataType).toBe(int8);
      expect(rawData.every((byte) => byte === 0)).toBe(true);
    }
    expect(initializers.filter(({ dataType }) => dataType === int32)).toStrictEqual([]);
    const madeBy = new Map(nodes.map(({ op, outputs }) => [outputs[0], op]));
    const multiplying = nodes.filter(({ op }) => ['Conv', 'Gemm'].includes(op));
    expect(multiplying.length).toBe(graph.layers.filter((layer) => 'kernel' in layer).length);
    for (const { inputs } of multiplying)
      expect(inputs.slice(0, 2).map((name) => madeBy.get(name))).toStrictEqual(['DequantizeLinear', 'DequantizeLinear']); // prettier-ignore
  });
});

interface Contents {
  readonly nodes: readonly { op: string; inputs: string[]; outputs: string[] }[];
  readonly initializers: readonly { name: string; dataType: number; rawData: Uint8Array }[];
}

/** By the field numbers of onnx.proto. */
function contentsOf(file: Uint8Array): Contents {
  const { Type, Field, Root } = protobuf;
  const root = new Root();
  const model = new Type('Model').add(new Field('graph', 7, 'Graph'));
  root.add(model);
  root.add(new Type('Graph').add(new Field('nodes', 1, 'Node', 'repeated')).add(new Field('initializers', 5, 'Tensor', 'repeated'))); // prettier-ignore
  root.add(new Type('Node').add(new Field('inputs', 1, 'string', 'repeated')).add(new Field('outputs', 2, 'string', 'repeated')).add(new Field('op', 4, 'string'))); // prettier-ignore
  root.add(new Type('Tensor').add(new Field('dataType', 2, 'int32')).add(new Field('name', 8, 'string')).add(new Field('rawData', 9, 'bytes'))); // prettier-ignore
  return (model.decode(file) as unknown as { graph: Contents }).graph;
}
