import { type CameraCalibration, undistort } from '../../calibration/index.js';
import type { Face } from '../../core/types.js';
import { alignedCrop, DEFAULT_CROP, type CropSpec } from '../../encoder/crop.js';
import type { Engine } from '../engine/engine.js';
import type { FramePixels } from '../inference/inference.js';
import { FaceFinder, rangesOf, type DetectorChoice } from './finder.js';
import { expectationOf, fitMeshes, type Expectation } from './fitting.js';
import { regionOfLandmarks, type Mesh } from './mesh.js';
import { loadFaceModels, type FaceModels } from './models.js';
import { assumedPinhole, fitPose, type FittedPose, type Pinhole } from './pose.js';
import { viewQuality } from './quality.js';
import type { Region } from './region.js';
import { CameraTracks, sameFace, steady, type Track } from './tracks.js';

export interface FaceStageOptions {
  readonly engine: Engine;
  readonly detector: DetectorChoice;
  /** Path of a face_landmarker.task instead of the 468-point mesh. */
  readonly landmarks?: string | undefined;
  /** Faces followed in one camera at most. */
  readonly maxFaces: number;
  readonly cropSpec?: CropSpec | undefined;
  /** Cameras with known intrinsics, as their upright frames come. */
  readonly calibration?: Readonly<Record<string, CameraCalibration>> | undefined;
}

/** A face expected in one camera's frame, by its track or, without one, by a detection or a seed. */
interface Candidate extends Expectation {
  readonly frame: FramePixels;
  readonly camera: CameraTracks;
  readonly track?: Track;
}

/**
 * Finds and follows the faces of every camera: the detector looks at whole pictures where faces are
 * missing and now and then elsewhere; the landmark model looks where a face was a frame ago. Both
 * run once for all cameras of a frame set.
 */
export class FaceStage {
  readonly #models: FaceModels;
  readonly #finder: FaceFinder;
  readonly #maxFaces: number;
  readonly #crop: CropSpec;
  readonly #calibration: Readonly<Record<string, CameraCalibration>>;
  readonly #cameras = new Map<string, CameraTracks>();

  private constructor(models: FaceModels, options: FaceStageOptions) {
    this.#models = models;
    this.#finder = new FaceFinder(models, options.detector);
    this.#maxFaces = options.maxFaces;
    this.#crop = options.cropSpec ?? DEFAULT_CROP;
    this.#calibration = options.calibration ?? {};
  }

  /** @throws ClmexError `not-found`, `model-invalid` or `limit-exceeded` for the models' files. */
  static async create(options: FaceStageOptions): Promise<FaceStage> {
    const { engine, detector, landmarks } = options;
    const models = await loadFaceModels({ engine, landmarks, ranges: rangesOf(detector) });
    return new FaceStage(models, options);
  }

  /** Faces of one frame set, in the order of its frames. Calls may not overlap. */
  async push(frames: readonly FramePixels[]): Promise<Face[]> {
    const followed = frames.flatMap((frame) => this.#followed(frame));
    const faces = await this.#fit(followed);
    const searched = await this.#search(frames);
    faces.push(...(await this.#fit(searched)));
    return faces.sort((a, b) => order(frames, a) - order(frames, b));
  }

  /**
   * Tells where another camera says a face must be: the landmark model looks there in the next
   * frame.
   * @param region Square around the head, picture pixels of the upright frame.
   */
  seed(cameraId: string, region: Region): void {
    const camera = this.#camera(cameraId);
    if (camera.seeds.length < this.#maxFaces && !camera.knows(region)) camera.seeds.push(region);
  }

  async close(): Promise<void> {
    await this.#models.close();
  }

  #camera(cameraId: string): CameraTracks {
    let camera = this.#cameras.get(cameraId);
    if (camera === undefined) {
      camera = new CameraTracks(cameraId);
      this.#cameras.set(cameraId, camera);
    }
    return camera;
  }

  #followed(frame: FramePixels): Candidate[] {
    const camera = this.#camera(frame.cameraId);
    const common = { frame, camera, picture: frame };
    return [
      ...camera.tracks.map((track) => ({ ...common, track, region: track.region })),
      ...camera.seeds.splice(0).map((region) => ({ ...common, region })),
    ];
  }

  /** New faces of the cameras that are due for a look. */
  async #search(frames: readonly FramePixels[]): Promise<Candidate[]> {
    const due = frames
      .map((frame) => ({ frame, camera: this.#camera(frame.cameraId) }))
      .filter(({ camera }) => camera.wantsLook());
    const found = await this.#finder.find(
      due.map(({ frame, camera }) => ({ picture: frame, memory: camera.memory })),
    );
    return due.flatMap(({ frame, camera }, i) => {
      const seen = found[i]!.map((detection) => expectationOf(frame, detection));
      camera.looked(seen.map(({ region }) => region));
      const room = Math.max(0, this.#maxFaces - camera.tracks.length);
      const fresh = seen.filter(({ region }) => !camera.knows(region)).slice(0, room);
      return fresh.map((expectation) => ({ ...expectation, frame, camera }));
    });
  }

  async #fit(candidates: readonly Candidate[]): Promise<Face[]> {
    const meshes = await fitMeshes(this.#models.mesher, candidates);
    const faces: Face[] = [];
    for (const [i, candidate] of candidates.entries()) {
      const face = await this.#take(candidate, meshes[i]);
      if (face !== undefined) faces.push(face);
    }
    return faces;
  }

  async #take(candidate: Candidate, mesh: Mesh | undefined): Promise<Face | undefined> {
    const { camera, track, frame, detection } = candidate;
    const pose = mesh && fitPose(mesh.landmarks, this.#models.geometry, this.#pinhole(frame, mesh.landmarks)); // prettier-ignore
    const region = mesh && regionOfLandmarks(mesh.landmarks);
    const doubled = region && camera.tracks.some((other) => other !== track && sameFace(other.region, region)); // prettier-ignore
    if (mesh === undefined || region === undefined || pose === undefined || doubled === true) {
      if (track !== undefined) camera.end(track);
      return undefined;
    }
    const followed = track ?? camera.start(region);
    followed.region = track === undefined ? region : steady(track.region, region);
    return this.#describe(frame, followed.id, detection?.score ?? mesh.presence, mesh, pose);
  }

  async #describe(
    frame: FramePixels,
    trackId: string,
    score: number,
    { landmarks, presence }: Mesh,
    { pose, head, eyeDistancePx }: FittedPose,
  ): Promise<Face> {
    const size = this.#crop.size;
    const crop = new Uint8Array(size * size);
    alignedCrop(frame.pixels, frame.width, frame.height, landmarks, this.#crop, crop);
    const quality = viewQuality({ pose, eyeDistancePx, presence, landmarks, picture: frame, crop, cropSize: size }); // prettier-ignore
    const blendshapes = await this.#models.blendshapes?.of(landmarks);
    return {
      cameraId: frame.cameraId,
      capturedAtMs: frame.capturedAtMs,
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
  #pinhole(frame: FramePixels, landmarks: Float32Array): Pinhole {
    const camera = this.#calibration[frame.cameraId];
    if (camera === undefined) return assumedPinhole(frame.width, frame.height);
    const { fx, fy, cx, cy } = camera.matrix;
    const [x, y] = [landmarks[4 * 3]!, landmarks[4 * 3 + 1]!];
    const seen = [(x - 0.5 - cx) / fx, (y - 0.5 - cy) / fy] as const;
    const [ux, uy] = undistort(seen, camera.distortion);
    // Shifting the principal point moves the face to where an ideal lens would show it.
    return { fx, fy, cx: cx + 0.5 - (ux - seen[0]) * fx, cy: cy + 0.5 - (uy - seen[1]) * fy };
  }
}

function order(frames: readonly FramePixels[], face: Face): number {
  return frames.findIndex(({ cameraId }) => cameraId === face.cameraId);
}

function boxOf(landmarks: Float32Array): Face['box'] {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < landmarks.length; i += 3) {
    x0 = Math.min(x0, landmarks[i]!);
    x1 = Math.max(x1, landmarks[i]!);
    y0 = Math.min(y0, landmarks[i + 1]!);
    y1 = Math.max(y1, landmarks[i + 1]!);
  }
  return { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
}
