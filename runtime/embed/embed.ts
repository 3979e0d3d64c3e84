import { ROWS_PER_VIEW, type Model } from '../../encoder/index.js';
import { ClmexError } from '../../core/errors.js';
import type { Face } from '../../core/types.js';
import type { Session } from '../engine/engine.js';

/** What the encoder sees of a face. */
export type EncoderView = Pick<Face, 'crop' | 'landmarks'>;

/** A grey view without a face, to warm an encoder with. */
export function blankView(size: number): EncoderView {
  return { crop: new Uint8Array(size * size).fill(128), landmarks: new Float32Array(3 * 468) };
}

/** Faces to unit vectors: all views of all people of a frame set in one run of the encoder. */
export class EmbedStage {
  readonly #model: Model;
  readonly #session: Session;
  #batch = new Float32Array(0);

  constructor(model: Model, session: Session) {
    this.#model = model;
    this.#session = session;
  }

  /**
   * @param views aligned grey crops, size² bytes each as the model's crop geometry says, and the
   * landmarks they were cut by.
   * @returns one unit vector a view, in their order.
   * @throws ClmexError `engine-failed` where the encoder's answer is not finite.
   */
  async push(views: readonly EncoderView[]): Promise<Float32Array[]> {
    if (views.length === 0) return [];
    const { size } = this.#model.manifest.crop;
    const length = ROWS_PER_VIEW * size * size;
    if (this.#batch.length < views.length * length)
      this.#batch = new Float32Array(views.length * length);
    const data = this.#batch.subarray(0, views.length * length);
    for (const [i, { crop }] of views.entries()) {
      this.#model.prepare(crop, data.subarray(i * length, (i + 1) * length));
    }
    const input = this.#model.graph.inputs[0]!.name;
    const output = this.#model.graph.outputs[0]!.name;
    const outputs = await this.#session.run({
      [input]: { data, shape: [ROWS_PER_VIEW * views.length, size, size, 1] },
    });
    return this.#join(outputs[output]!.data, views);
  }

  #join(embeddings: Float32Array, views: readonly EncoderView[]): Float32Array[] {
    const width = embeddings.length / views.length;
    return views.map(({ landmarks }, i) => {
      const pixels = embeddings.slice(i * width, (i + 1) * width);
      const vector = this.#model.join(pixels, landmarks);
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
