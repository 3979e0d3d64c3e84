import { loadModel } from '../../encoder/index.js';
import { toRadians } from '../../core/geometry.js';
import type { Face } from '../../core/types.js';
import { blankView, EmbedStage, type EncoderView } from '../embed/embed.js';
import { loadEncoder } from '../engine/encoder.js';
import { createEngine } from '../engine/engine.js';
import { FaceStage } from '../faces/faces.js';
import { cacheDirectory } from '../faces/model-cache.js';
import type {
  FaceSeed,
  FramePixels,
  Inference,
  InferenceInfo,
  InferenceOptions,
} from './inference.js';

/** MediaPipe's face_landmark graph shows the model 1.5 times the face's bounds. */
const REGION_OVER_FACE = 1.5;

/** {@link Inference} in this thread; the worker's inside, and what training uses. */
export class LocalInference implements Inference {
  readonly info: InferenceInfo;
  readonly #faces: FaceStage;
  readonly #embed: EmbedStage;

  private constructor(info: InferenceInfo, faces: FaceStage, embed: EmbedStage) {
    this.info = info;
    this.#faces = faces;
    this.#embed = embed;
  }

  /** Loads and warms everything, so that the first score is no slower than the others. */
  static async load(options: InferenceOptions): Promise<LocalInference> {
    const engine = await createEngine({ ...options.engine, kind: 'onnxruntime' });
    const model = await loadModel(options.model);
    const { name, crop } = model.manifest;
    const faces = await FaceStage.create({ engine, cropSpec: crop, ...options.faces });
    const encoder = await loadEncoder(model, options.engine, cacheDirectory());
    const embed = new EmbedStage(model, encoder.session);
    await embed.push([blankView(crop.size)]);
    return new LocalInference(
      { engine: encoder.name, model: name, cropSize: crop.size },
      faces,
      embed,
    );
  }

  /** Corners of the landmark mesh's triangles, three indices each. */
  get triangles(): readonly number[] {
    return this.#faces.triangles;
  }

  faces(frames: readonly FramePixels[], seeds: readonly FaceSeed[]): Promise<Face[]> {
    for (const { cameraId, x, y, sizePx, rollDeg } of seeds) {
      const side = REGION_OVER_FACE * sizePx;
      this.#faces.seed(cameraId, { x, y, width: side, height: side, rotation: toRadians(rollDeg) });
    }
    return this.#faces.push(frames);
  }

  embed(views: readonly EncoderView[]): Promise<Float32Array[]> {
    return this.#embed.push(views);
  }

  async close(): Promise<void> {
    await this.#faces.close();
    await this.#embed.close();
  }
}
