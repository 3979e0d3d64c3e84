import * as tf from '@tensorflow/tfjs-core';
import { forward, toTensors, trainable } from '../encoder/formats/tfjs.js';
import type { Graph } from '../encoder/graph.js';
import type { Normalizer } from '../encoder/normalize.js';

const ROWS = 64;

/** Crops to unit vectors on the current tfjs backend, for validation and evaluation. */
export async function embedCrops(
  graph: Graph,
  normalize: Normalizer,
  crops: readonly Uint8Array[],
): Promise<Float32Array[]> {
  const size = graph.inputs[0]!.shape[1]!;
  const { slots, initial } = trainable(graph, { batchNorm: false });
  const tensors = toTensors(slots, initial);
  const embeddings: Float32Array[] = [];
  for (let at = 0; at < crops.length; at += ROWS) {
    const part = crops.slice(at, at + ROWS);
    const images = new Float32Array(part.length * size * size);
    part.forEach((crop, i) =>
      normalize(crop, images.subarray(i * size * size, (i + 1) * size * size)),
    );
    const output = tf.tidy(() =>
      forward(graph, tensors, tf.tensor4d(images, [part.length, size, size, 1])),
    );
    const values = await output.data<'float32'>();
    output.dispose();
    const width = values.length / part.length;
    part.forEach((_, i) => embeddings.push(values.slice(i * width, (i + 1) * width)));
  }
  tf.dispose([...tensors.values()]);
  return embeddings;
}
