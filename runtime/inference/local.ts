import { ClmexError } from '../../core/errors.js';
import { toRadians } from '../../core/geometry.js';
import type { Face } from '../../core/types.js';
import type { CropSpec } from '../../encoder/crop.js';
import { loadModel, type Model } from '../../encoder/index.js';
import { cacheDirectory } from '../cache.js';
import { blankView, EmbedStage, type EncoderView } from '../embed/embed.js';
import { loadEncoder, type EncoderOptions, type LoadedEncoder } from '../engine/encoder.js';
import { createEngine, type Engine } from '../engine/engine.js';
import { FaceStage } from '../faces/faces.js';
import type { Region } from '../faces/region.js';
import type {
  FaceSeed,
  FramePixels,
  Inference,
  InferenceInfo,
  InferenceOptions,
} from './inference.js';

/** MediaPipe's face_landmark graph shows the model 1.5 times the face's bounds. */
const REGION_OVER_FACE = 1.5;

/** Where the landmark model looks for a seed. */
export function regionOfSeed({ x, y, sizePx, rollDeg }: FaceSeed): Region {
  const side = REGION_OVER_FACE * sizePx;
  return { x, y, width: side, height: side, rotation: toRadians(rollDeg) };
}

/** A model package ready to embed. */
interface Encoder {
  readonly model: Model;
  readonly loaded: LoadedEncoder;
  readonly embed: EmbedStage;
}

/** {@link Inference} in this thread; the worker's inside, and what training uses. */
export class LocalInference implements Inference {
  readonly #engine: Engine;
  readonly #options: EncoderOptions;
  readonly #faces: FaceStage;
  #encoder: Encoder;
  #next: Encoder | undefined;

  private constructor(engine: Engine, options: EncoderOptions, faces: FaceStage, encoder: Encoder) {
    this.#engine = engine;
    this.#options = options;
    this.#faces = faces;
    this.#encoder = encoder;
  }

  /** Loads and warms everything, so that the first score is no slower than the others. */
  static async load(options: InferenceOptions): Promise<LocalInference> {
    const engine = await createEngine({ ...options.engine, kind: 'onnxruntime' });
    const model = await loadModel(options.model);
    const faces = await FaceStage.create({ engine, cropSpec: model.manifest.crop, ...options.faces }); // prettier-ignore
    const encoder = await encoderOf(model, options.engine);
    return new LocalInference(engine, options.engine, faces, encoder);
  }

  get info(): InferenceInfo {
    const { model, loaded } = this.#encoder;
    const { name, crop } = model.manifest;
    const fellBack = this.#engine.name.includes('failed') && !loaded.name.includes('failed');
    const engine = fellBack ? `${loaded.name}; faces: ${this.#engine.name}` : loaded.name;
    return { engine, model: name, cropSize: crop.size };
  }

  /** Corners of the landmark mesh's triangles, three indices each. */
  get triangles(): readonly number[] {
    return this.#faces.canonical.triangles;
  }

  faces(frames: readonly FramePixels[], seeds: readonly FaceSeed[]): Promise<Face[]> {
    for (const seed of seeds) this.#faces.seed(seed.cameraId, regionOfSeed(seed));
    return this.#faces.push(frames);
  }

  embed(views: readonly EncoderView[]): Promise<Float32Array[]> {
    return this.#encoder.embed.push(views);
  }

  async prepare(directory: string): Promise<void> {
    const model = await loadModel(directory);
    requireSameCrop(this.#encoder.model, model);
    const next = await encoderOf(model, this.#options);
    await this.#next?.embed.close();
    this.#next = next;
  }

  async adopt(): Promise<void> {
    if (this.#next === undefined) return;
    const before = this.#encoder;
    this.#encoder = this.#next;
    this.#next = undefined;
    await before.embed.close();
  }

  async close(): Promise<void> {
    await this.#faces.close();
    await this.#next?.embed.close();
    await this.#encoder.embed.close();
  }
}

async function encoderOf(model: Model, options: EncoderOptions): Promise<Encoder> {
  const loaded = await loadEncoder(model, options, cacheDirectory());
  const embed = new EmbedStage(model, loaded.session);
  await embed.push([blankView(model.manifest.crop.size)]);
  return { model, loaded, embed };
}

/** The faces stage cuts crops for one geometry. */
function requireSameCrop({ manifest: before }: Model, { manifest: after }: Model): void {
  const shape = ({ size, eyeDistancePx, eyeLinePx }: CropSpec): string =>
    `${size} px, eyes ${eyeDistancePx} px apart at ${eyeLinePx} px`;
  if (shape(before.crop) === shape(after.crop)) return;
  throw new ClmexError('invalid-argument', 'the model takes other crops than the running one', {
    field: 'model.crop',
    value: shape(after.crop),
    allowed: `${shape(before.crop)}; else start again`,
  });
}
