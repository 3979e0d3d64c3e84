import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { selectBackend } from '../../../encoder/backend/backend.js';
import { batchNormalize } from '../../../encoder/formats/batch-norm.js';
import { forward, toTensors, trainable } from '../../../encoder/formats/tfjs.js';
import type { Graph } from '../../../encoder/graph.js';
import { buildNetwork, zeros } from '../../../encoder/network.js';
import { Random } from '../../../encoder/random.js';
import { TINY_NETWORK } from '../../support/random-model.js';

const random = new Random(3);
const normal = (count: number): Float32Array =>
  Float32Array.from({ length: count }, () => random.normal());
const images = normal(3 * 64 * 64);

function run(
  graph: Graph,
  parameters: Float32Array,
  statistics: Float32Array,
  batchNorm: boolean,
): Float32Array {
  const { slots, statisticSlots } = trainable(graph, { batchNorm });
  const tensors = new Map([
    ...toTensors(slots, parameters),
    ...toTensors(statisticSlots, statistics),
  ]);
  const output = tf.tidy(() =>
    forward(graph, tensors, tf.tensor4d(images, [3, 64, 64, 1])).dataSync<'float32'>(),
  );
  tf.dispose([...tensors.values()]);
  return output;
}

describe('a graph as a trainable network', () => {
  beforeAll(() => selectBackend('wasm'));

  it('makes unit vectors, one a picture', () => {
    const graph = buildNetwork(TINY_NETWORK, 1);
    const { initial } = trainable(graph, { batchNorm: false });
    const output = run(graph, initial, new Float32Array(0), false);
    expect(output).toHaveLength(3 * 16);
    for (let i = 0; i < 3; i++)
      expect(Math.hypot(...output.subarray(i * 16, i * 16 + 16))).toBeCloseTo(1, 5);
  });

  it('gives the same vectors after batch normalisation is folded into the convolutions', () => {
    const { graph, slots, initial, initialStatistics, statisticSlots, toGraph } = trainable(
      buildNetwork(TINY_NETWORK, 1),
      { batchNorm: true },
    );
    const parameters = initial.map((value, i) => value + 0.1 * Math.sin(i));
    const statistics = initialStatistics.slice();
    for (const { name, offset, length } of statisticSlots)
      for (let i = 0; i < length; i++)
        statistics[offset + i] = name.endsWith('variance')
          ? 0.5 + random.uniform()
          : random.normal();
    const normalized = run(graph, parameters, statistics, true);
    const plain = toGraph(parameters, statistics);
    const folded = run(
      plain,
      trainable(plain, { batchNorm: false }).initial,
      new Float32Array(0),
      false,
    );
    folded.forEach((value, i) => expect(Math.abs(value - normalized[i]!)).toBeLessThan(1e-5));
    expect(slots.some(({ name }) => name.endsWith('.bias') && !name.startsWith('project'))).toBe(
      false,
    );
  });

  it('differentiates a whole network as finite differences do, alike on every backend', async () => {
    const graph = buildNetwork(
      { ...TINY_NETWORK, size: 16, widths: [2, 3], blocks: [0, 1], squeeze: 2, embedding: 4 },
      2,
    );
    const { slots, initial } = trainable(graph, { batchNorm: true });
    const [pictures, target] = [normal(4 * 16 * 16), normal(16)];
    const loss = (tensors: ReadonlyMap<string, tf.Tensor>): tf.Scalar => {
      const y = forward(graph, tensors, tf.tensor4d(pictures, [4, 16, 16, 1]), {
        onStatistics: (_, value) => {
          tf.dispose(value);
        },
      });
      return tf.sum(tf.mul(y, tf.tensor2d(target, [4, 4])));
    };
    const valueAt = (parameters: Float32Array): number => {
      const tensors = toTensors(slots, parameters);
      const result = tf.tidy(() => loss(tensors).dataSync()[0]!);
      tf.dispose([...tensors.values()]);
      return result;
    };
    const gradientOn = async (backend: 'cpu' | 'wasm'): Promise<number[][]> => {
      await selectBackend(backend);
      const tensors = toTensors(slots, initial);
      const names = [...tensors.keys()];
      const { grads, value } = tf.valueAndGrads((...given: tf.Tensor[]) =>
        loss(new Map(names.map((name, i) => [name, given[i]!]))),
      )([...tensors.values()]);
      const values = grads.map((gradient) => [...gradient.dataSync()]);
      tf.dispose([...grads, value, ...tensors.values()]);
      return values;
    };
    const [onWasm, onCpu] = [await gradientOn('wasm'), await gradientOn('cpu')];
    onWasm
      .flat()
      .forEach((value, i) => expect(Math.abs(value - onCpu.flat()[i]!)).toBeLessThan(1e-4));
    // A step may cross a kink of a ReLU, so the differences agree for most numbers, not for all.
    const errors = slots.flatMap(({ offset, length }, k) =>
      Array.from({ length }, (_, i) => {
        const moved = (by: number): Float32Array =>
          initial.map((v, at) => (at === offset + i ? v + by : v));
        const slope = (valueAt(moved(2e-3)) - valueAt(moved(-2e-3))) / 4e-3;
        return Math.abs(onCpu[k]![i]! - slope) / Math.max(0.1, Math.abs(slope));
      }),
    );
    const near = errors.filter((error) => error < 0.02).length;
    expect(near / errors.length).toBeGreaterThan(0.9);
  });
});

describe('batch normalisation', () => {
  it.each([true, false])('equals its definition, value and gradient (relu: %s)', async (relu) => {
    await selectBackend('wasm');
    const [x, gamma, beta, dy] = [
      normal(2 * 3 * 3 * 4),
      normal(4),
      normal(4),
      normal(2 * 3 * 3 * 4),
    ];
    const shape: [number, number, number, number] = [2, 3, 3, 4];
    const plain = (a: tf.Tensor, g: tf.Tensor, b: tf.Tensor): tf.Tensor => {
      const mean = tf.mean(a, [0, 1, 2], true);
      const centred = tf.sub(a, mean);
      const variance = tf.mean(tf.square(centred), [0, 1, 2], true);
      const y = tf.add(tf.mul(tf.div(centred, tf.sqrt(tf.add(variance, 1e-3))), g), b);
      return relu ? tf.relu(y) : y;
    };
    const ours = (a: tf.Tensor, g: tf.Tensor, b: tf.Tensor): tf.Tensor => {
      const { output, mean, variance } = batchNormalize(
        a as tf.Tensor4D,
        g as tf.Tensor1D,
        b as tf.Tensor1D,
        relu,
      );
      tf.dispose([mean, variance]);
      return output;
    };
    const results = [plain, ours].map((f) =>
      tf.tidy(() => {
        const inputs = [tf.tensor4d(x, shape), tf.tensor1d(gamma), tf.tensor1d(beta)];
        const { value, grads } = tf.valueAndGrads((a: tf.Tensor, g: tf.Tensor, b: tf.Tensor) =>
          tf.sum(tf.mul(f(a, g, b), tf.tensor4d(dy, shape))),
        )(inputs);
        return [value, ...grads].map((tensor) => [...tensor.dataSync()]);
      }),
    );
    results[1]!.flat().forEach((value, i) => expect(value).toBeCloseTo(results[0]!.flat()[i]!, 3));
  });
});

describe('layers of a graph', () => {
  it.each([
    [
      'maxPool',
      {
        kind: 'maxPool',
        name: 'y',
        inputs: ['x'],
        size: [2, 2],
        strides: [2, 2],
        padding: 'valid',
      },
      [5, 7],
    ],
    ['globalAveragePool', { kind: 'globalAveragePool', name: 'y', inputs: ['x'] }, [2.5, 4.5]],
    ['negate', { kind: 'negate', name: 'y', inputs: ['x'] }, [-0, -2, -1, -3, -4, -6, -5, -7]],
    [
      'concat',
      { kind: 'concat', name: 'y', inputs: ['x', 'x'], axis: 3 },
      [0, 2, 0, 2, 1, 3, 1, 3, 4, 6, 4, 6, 5, 7, 5, 7],
    ],
  ] as const)('%s', async (_, layer, expected) => {
    await selectBackend('wasm');
    const graph: Graph = {
      name: 'g',
      inputs: [{ name: 'x', shape: [1, 2, 2, 2] }],
      outputs: [{ name: 'y', shape: [1] }],
      layers: [layer],
    };
    const output = tf.tidy(() => [
      ...forward(graph, new Map(), tf.tensor4d([0, 2, 1, 3, 4, 6, 5, 7], [1, 2, 2, 2])).dataSync(),
    ]);
    expect(output).toEqual([...expected]);
  });

  it('names the layer that cannot be trained', () => {
    const layer = { kind: 'prelu', name: 'slope', inputs: ['x'], alpha: zeros([2]) } as const;
    const graph: Graph = {
      name: 'g',
      inputs: [{ name: 'x', shape: [1, 2] }],
      outputs: [{ name: 'slope', shape: [1, 2] }],
      layers: [layer],
    };
    expect(() => tf.tidy(() => forward(graph, new Map(), tf.zeros([1, 1, 1, 2])))).toThrow(
      /slope.*cannot be trained/,
    );
  });
});
