import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { ClmexError } from '../../../core/errors.js';
import { readTfliteInt8 } from '../../../encoder/formats/tflite-int8-reader.js';
import { readTflite } from '../../../encoder/formats/tflite.js';
import { writeTflite, writeTfliteInt8 } from '../../../encoder/formats/tflite-writer.js';
import type { Graph, Layer } from '../../../encoder/graph.js';
import { buildNetwork, drawn } from '../../../encoder/network.js';
import { Random } from '../../../encoder/random.js';
import { runInteger } from '../../../encoder/quantise/integer.js';
import { quantizeGraph } from '../../../encoder/quantise/quantise.js';
import type { QuantizedGraph } from '../../../encoder/quantise/scheme.js';
import { createOnnxRuntime } from '../../../runtime/engine/onnxruntime.js';
import { TINY_NETWORK } from '../../support/random-model.js';
import { faceLikeCrops, inputsOf, runOn } from '../quantise/calibration.js';

const run = runOn(createOnnxRuntime(1));
const crops = inputsOf(faceLikeCrops(8, 3));

describe('a .tflite file', () => {
  const graph = mixedGraph();

  it('computes in float, read back, what the graph computes', async () => {
    const back = readTflite(writeTflite(graph), 'back');
    const expected = (await run(graph, crops, 8)).get('embedding')!;
    const got = (await run(back, crops, 8)).get('embedding')!;
    got.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
  });

  it('states the batch it is written for', () => {
    const back = readTflite(writeTflite(graph, { batch: 4 }), 'back');
    expect(back.inputs[0]!.shape).toStrictEqual([4, 64, 64, 1]);
    expect(back.outputs[0]!.shape).toStrictEqual([4, 6]);
  });
});

describe('an int8 .tflite file', () => {
  const graphs = { encoder: buildNetwork(TINY_NETWORK, 5), mixed: mixedGraph() };
  const quantized = {} as Record<keyof typeof graphs, QuantizedGraph>;
  const options = { ranges: 'percentile', equalise: false, correctBiases: true } as const;

  beforeAll(async () => {
    for (const name of ['encoder', 'mixed'] as const)
      quantized[name] = await quantizeGraph(graphs[name], [crops], run, options);
  });

  it.each(['encoder', 'mixed'] as const)(
    'gives the integer reference the same bytes after a round trip (%s)',
    (name) => {
      const back = readTfliteInt8(writeTfliteInt8(quantized[name]), 'back');
      const input = crops.subarray(0, 64 * 64);
      const expected = runInteger(quantized[name], input).floats.get('embedding')!;
      const got = [...runInteger(back, input).floats.values()].at(-1)!;
      expect(got).toStrictEqual(expected);
    },
  );

  it('is refused with a typed error wherever it is cut short', () => {
    const bytes = writeTfliteInt8(quantized.mixed);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), (length) => {
        try {
          readTfliteInt8(bytes.slice(0, length), 'cut');
        } catch (error) {
          expect(error).toBeInstanceOf(ClmexError);
        }
      }),
      { numRuns: 60 },
    );
    expect(() => readTfliteInt8(bytes.slice(0, bytes.length >> 1), 'cut')).toThrow(ClmexError);
  });
});

/** One of every kind of layer that has an integer form. */
function mixedGraph(): Graph {
  const random = new Random(11);
  const layers: Layer[] = [
    { kind: 'conv2d', name: 'first', inputs: ['crop'], kernel: drawn(random, [3, 3, 1, 4], 0.4), bias: drawn(random, [4], 0.1), strides: [2, 2], padding: 'same', activation: 'relu6' },
    { kind: 'depthwiseConv2d', name: 'deep', inputs: ['first'], kernel: drawn(random, [3, 3, 4, 2], 0.4), bias: drawn(random, [8], 0.1), strides: [2, 2], padding: 'same', activation: 'relu' },
    { kind: 'maxPool', name: 'pooled', inputs: ['deep'], size: [2, 2], strides: [2, 2], padding: 'same' },
    { kind: 'conv2d', name: 'second', inputs: ['pooled'], kernel: drawn(random, [1, 1, 8, 8], 0.4), bias: null, strides: [1, 1], padding: 'valid', activation: 'none' },
    { kind: 'add', name: 'sum', inputs: ['second', 'pooled'], activation: 'relu' },
    { kind: 'globalAveragePool', name: 'mean', inputs: ['sum'] },
    { kind: 'dense', name: 'project', inputs: ['mean'], kernel: drawn(random, [8, 6], 0.5), bias: drawn(random, [6], 0.1), activation: 'none' },
    { kind: 'l2Normalize', name: 'embedding', inputs: ['project'] },
  ]; // prettier-ignore
  return {
    name: 'mixed',
    inputs: [{ name: 'crop', shape: [1, 64, 64, 1] }],
    outputs: [{ name: 'embedding', shape: [1, 6] }],
    layers,
  };
}
