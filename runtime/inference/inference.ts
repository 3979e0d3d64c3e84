import type { CameraCalibration } from '../../calibration/index.js';
import type { Face, Frame } from '../../core/types.js';
import type { EncoderView } from '../embed/embed.js';
import type { EncoderOptions } from '../engine/encoder.js';

/** What a frame needs to carry to the faces stage; pixels stay in shared memory. */
export type FramePixels = Pick<Frame, 'cameraId' | 'capturedAtMs' | 'width' | 'height' | 'pixels'>;

/** Where a head known from other cameras must be in this one: try the landmark model there. */
export interface FaceSeed {
  readonly cameraId: string;
  /** Centre of the face in pixels of the upright frame. */
  readonly x: number;
  readonly y: number;
  /** Height of the face from chin to forehead, pixels. */
  readonly sizePx: number;
  /** As in HeadPose. */
  readonly rollDeg: number;
}

export interface InferenceOptions {
  readonly engine: EncoderOptions;
  /** Model package directory. */
  readonly model: string;
  readonly faces: {
    readonly detector: 'short' | 'full' | 'auto';
    /** A face_landmarker.task file instead of the 468-point mesh. */
    readonly landmarks?: string | undefined;
    readonly maxFaces: number;
    /** Upright cameras with known intrinsics. */
    readonly calibration?: Readonly<Record<string, CameraCalibration>> | undefined;
  };
}

export interface InferenceInfo {
  /** Engine of the encoder; of the faces too where theirs had to fall back. Changes when one does. */
  readonly engine: string;
  readonly model: string;
  /** Side of the encoder's crops, pixels. */
  readonly cropSize: number;
}

/** The two stages that run networks, wherever they run. Calls are answered in order. */
export interface Inference {
  readonly info: InferenceInfo;
  faces(frames: readonly FramePixels[], seeds: readonly FaceSeed[]): Promise<Face[]>;
  /** One unit vector a view. */
  embed(views: readonly EncoderView[]): Promise<Float32Array[]>;
  /**
   * Makes another model package ready beside the one in use, which goes on serving.
   * @throws ClmexError whatever loading it throws, `invalid-argument` where its crops differ.
   */
  prepare(model: string): Promise<void>;
  /** From the next call on the prepared model serves; the one before is released. */
  adopt(): Promise<void>;
  close(): Promise<void>;
}
