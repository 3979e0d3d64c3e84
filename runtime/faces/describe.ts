import { undistort, type CameraCalibration } from '../../calibration/index.js';
import type { Box, Face } from '../../core/types.js';
import { alignedCrop, type CropSpec } from '../../encoder/crop.js';
import type { FramePixels } from '../inference/inference.js';
import type { Mesh } from './mesh.js';
import type { FaceModels } from './models.js';
import { assumedPinhole, fitPose, type FittedPose, type Pinhole } from './pose.js';
import { viewQuality } from './quality.js';

/** Nose tip: the place at which a lens's distortion is taken out for the whole face. */
const CENTRE = 4;

/** Turns a fitted mesh into a {@link Face}: pose, crop, quality, blendshapes. */
export class FaceDescriber {
  readonly #models: FaceModels;
  readonly #crop: CropSpec;
  readonly #calibration: Readonly<Record<string, CameraCalibration>>;

  constructor(
    models: FaceModels,
    crop: CropSpec,
    calibration: Readonly<Record<string, CameraCalibration>>,
  ) {
    this.#models = models;
    this.#crop = crop;
    this.#calibration = calibration;
  }

  /** Undefined for a mesh without extent. */
  pose(frame: FramePixels, { landmarks }: Mesh): FittedPose | undefined {
    return fitPose(landmarks, this.#models.geometry, this.#pinhole(frame, landmarks));
  }

  async describe(
    frame: FramePixels,
    trackId: string,
    score: number,
    { landmarks, presence }: Mesh,
    { pose, head, eyeDistancePx }: FittedPose,
  ): Promise<Face> {
    const { size } = this.#crop;
    const crop = new Uint8Array(size * size);
    alignedCrop(frame.pixels, frame.width, frame.height, landmarks, this.#crop, crop);
    const quality = viewQuality({ pose, eyeDistancePx, presence, landmarks, picture: frame, crop, cropSize: size }); // prettier-ignore
    const blendshapes = await this.#models.blendshapes?.of(landmarks);
    const { cameraId, capturedAtMs } = frame;
    return {
      cameraId,
      capturedAtMs,
      trackId,
      score,
      box: boxOf(landmarks),
      landmarks,
      pose,
      head,
      quality,
      crop,
      ...(blendshapes === undefined ? {} : { blendshapes }),
    };
  }

  /** The camera's pinhole, its distortion taken out at the face's place; assumed where not known. */
  #pinhole({ cameraId, width, height }: FramePixels, landmarks: Float32Array): Pinhole {
    const camera = this.#calibration[cameraId];
    if (camera === undefined) return assumedPinhole(width, height);
    const { fx, fy, cx, cy } = camera.matrix;
    const seen = [
      (landmarks[CENTRE * 3]! - cx) / fx,
      (landmarks[CENTRE * 3 + 1]! - cy) / fy,
    ] as const;
    const [x, y] = undistort(seen, camera.distortion);
    // Shifting the principal point moves the face to where an ideal lens would show it.
    return { fx, fy, cx: cx - (x - seen[0]) * fx, cy: cy - (y - seen[1]) * fy };
  }
}

function boxOf(landmarks: Float32Array): Box {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < landmarks.length; i += 3) {
    x0 = Math.min(x0, landmarks[i]!);
    x1 = Math.max(x1, landmarks[i]!);
    y0 = Math.min(y0, landmarks[i + 1]!);
    y1 = Math.max(y1, landmarks[i + 1]!);
  }
  return { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
}
