import type { CameraCalibration } from '../../calibration/index.js';
import type { Face, Frame } from '../../core/types.js';

/** What a frame needs to carry to the faces stage; pixels stay in shared memory. */
export type FramePixels = Pick<Frame, 'cameraId' | 'capturedAtMs' | 'width' | 'height' | 'pixels'>;

export interface InferenceOptions {
  readonly engine: { readonly kind: 'onnxruntime'; readonly threads: number };
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
  readonly engine: string;
  readonly model: string;
}

/** The two stages that run networks, wherever they run. Calls are answered in order. */
export interface Inference {
  readonly info: InferenceInfo;
  faces(frames: readonly FramePixels[]): Promise<Face[]>;
  /** One unit vector a crop. */
  embed(crops: readonly Uint8Array[]): Promise<Float32Array[]>;
  /** Called once more after a failure it reports here; nothing runs afterwards. */
  close(): Promise<void>;
}
