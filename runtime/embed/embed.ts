import type { Model } from '../../encoder/index.js';
import { ClmexError } from '../../core/errors.js';
import type { Session } from '../engine/engine.js';

/** Crops to unit vectors: all views of all people of a frame set in one run of the encoder. */
export class EmbedStage {
  readonly #model: Model;
  readonly #session: Session;
  #batch = new Float32Array(0);

  constructor(model: Model, session: Session) {
    this.#model = model;
    this.#session = session;
  }

  /**
   * @param crops aligned grey crops, size² bytes each as the model's crop geometry says.
   * @returns one unit vector a crop, in their order.
   * @throws ClmexError `engine-failed` where the encoder's answer is not finite.
   */
  async push(crops: readonly Uint8Array[]): Promise<Float32Array[]> {
    if (crops.length === 0) return [];
    const { size } = this.#model.manifest.crop;
    const area = size * size;
    if (this.#batch.length < crops.length * area)
      this.#batch = new Float32Array(crops.length * area);
    const data = this.#batch.subarray(0, crops.length * area);
    for (const [i, crop] of crops.entries()) {
      this.#model.normalize(crop, data.subarray(i * area, (i + 1) * area));
    }
    const input = this.#model.graph.inputs[0]!.name;
    const output = this.#model.graph.outputs[0]!.name;
    const outputs = await this.#session.run({
      [input]: { data, shape: [crops.length, size, size, 1] },
    });
    return this.#split(outputs[output]!.data, crops.length);
  }

  #split(embeddings: Float32Array, count: number): Float32Array[] {
    const width = embeddings.length / count;
    return Array.from({ length: count }, (_, i) => {
      const vector = embeddings.slice(i * width, (i + 1) * width);
      if (!vector.every(Number.isFinite)) {
        throw new ClmexError('engine-failed', 'the encoder returned numbers that are not finite', {
          field: 'embedding',
        });
      }
      return vector;
    });
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}
