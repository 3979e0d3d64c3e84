import * as tf from '@tensorflow/tfjs-core';
import { forward, toTensors, trainable } from '../encoder/formats/tfjs.js';
import type { Graph } from '../encoder/graph.js';
import { cropNormalizer, DEFAULT_MASK } from '../encoder/normalize.js';
import { ROWS_PER_VIEW, viewPreparer } from '../encoder/view.js';

const VIEWS = 32;

/** Told how many of how many views are embedded. */
export type OnEmbedded = (views: number, of: number) => void;

/** The network's answers to the rows of each crop on the current tfjs backend, as joinView takes them. */
export async function embedCrops(
  graph: Graph,
  crops: readonly Uint8Array[],
  onEmbedded?: OnEmbedded,
): Promise<Float32Array[]> {
  const size = graph.inputs[0]!.shape[1]!;
  const prepare = viewPreparer(size, cropNormalizer(size, DEFAULT_MASK));
  const { slots, initial } = trainable(graph, { batchNorm: false });
  const tensors = toTensors(slots, initial);
  const answers: Float32Array[] = [];
  for (let at = 0; at < crops.length; at += VIEWS) {
    const part = crops.slice(at, at + VIEWS);
    const rows = ROWS_PER_VIEW * part.length;
    const length = ROWS_PER_VIEW * size * size;
    const images = new Float32Array(part.length * length);
    part.forEach((crop, i) => prepare(crop, images.subarray(i * length, (i + 1) * length)));
    const output = tf.tidy(() =>
      forward(graph, tensors, tf.tensor4d(images, [rows, size, size, 1])),
    );
    const values = await output.data<'float32'>();
    output.dispose();
    const width = values.length / part.length;
    part.forEach((_, i) => answers.push(values.slice(i * width, (i + 1) * width)));
    onEmbedded?.(answers.length, crops.length);
  }
  tf.dispose([...tensors.values()]);
  return answers;
}
