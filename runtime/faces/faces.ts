import type { CameraCalibration } from '../../calibration/index.js';
import type { Face } from '../../core/types.js';
import { DEFAULT_CROP, type CropSpec } from '../../encoder/crop.js';
import type { Engine } from '../engine/engine.js';
import type { FramePixels } from '../inference/inference.js';
import { FaceDescriber } from './describe.js';
import type { Detection } from './detection.js';
import { FaceFinder, rangesOf, type DetectorChoice } from './finder.js';
import { expectationOf, fitMeshes, type Expectation } from './fitting.js';
import type { FaceGeometry } from './geometry.js';
import { regionOfLandmarks, type Mesh } from './mesh.js';
import { loadFaceModels, type FaceModels } from './models.js';
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

/** A face of a single picture, with what the detector saw. */
export interface StillFace extends Face {
  readonly detection: Detection;
}

/** Detections of a picture that may be of one face, or of none. */
const TRIES_A_FACE = 2;

/** Cameras remembered at most; the one that joined first is forgotten first. */
const MOST_CAMERAS = 64;

/** A face expected in one camera's frame, by its track or, without one, by a detection or a seed. */
interface Candidate extends Expectation {
  readonly frame: FramePixels;
  readonly camera: CameraTracks;
  readonly track?: Track;
  readonly seed?: boolean;
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
  readonly #describer: FaceDescriber;
  readonly #cameras = new Map<string, CameraTracks>();

  private constructor(models: FaceModels, options: FaceStageOptions) {
    this.#models = models;
    this.#finder = new FaceFinder(models, options.detector);
    this.#maxFaces = options.maxFaces;
    const { cropSpec = DEFAULT_CROP, calibration = {} } = options;
    this.#describer = new FaceDescriber(models, cropSpec, calibration);
  }

  /** @throws ClmexError `not-found`, `model-invalid` or `limit-exceeded` for the models' files. */
  static async create(options: FaceStageOptions): Promise<FaceStage> {
    const { engine, detector, landmarks } = options;
    const models = await loadFaceModels({ engine, landmarks, ranges: rangesOf(detector) });
    return new FaceStage(models, options);
  }

  /** The metric average face, and how the landmarks' mesh hangs together. */
  get canonical(): FaceGeometry {
    return this.#models.geometry;
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
   * Faces of one picture by itself, best first: nothing is remembered, and lying or small faces are
   * looked for to the end where none stands out, or with `everything` in any case.
   */
  async still(picture: FramePixels, { everything = false } = {}): Promise<StillFace[]> {
    const all = await this.#finder.findThoroughly(picture, everything);
    const found = all.slice(0, TRIES_A_FACE * this.#maxFaces);
    const meshes = await fitMeshes(
      this.#models.mesher,
      found.map((detection) => expectationOf(picture, detection)),
    );
    const faces: StillFace[] = [];
    const regions: Region[] = [];
    for (const [i, detection] of found.entries()) {
      if (faces.length === this.#maxFaces) break;
      const mesh = meshes[i];
      const pose = mesh && this.#describer.pose(picture, mesh);
      if (mesh === undefined || pose === undefined) continue;
      const region = regionOfLandmarks(mesh.landmarks);
      if (regions.some((other) => sameFace(other, region))) continue;
      regions.push(region);
      const face = await this.#describer.describe(picture, `${i}`, detection.score, mesh, pose);
      faces.push({ ...face, detection });
    }
    return faces;
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
      camera = new CameraTracks(cameraId, this.#cameras.size);
      const [oldest] = this.#cameras.keys();
      if (oldest !== undefined && this.#cameras.size >= MOST_CAMERAS) this.#cameras.delete(oldest);
      this.#cameras.set(cameraId, camera);
    }
    return camera;
  }

  #followed(frame: FramePixels): Candidate[] {
    const camera = this.#camera(frame.cameraId);
    const common = { frame, camera, picture: frame };
    return [
      ...camera.tracks.map((track) => ({ ...common, track, region: track.region })),
      ...camera.takeSeeds().map((region) => ({ ...common, region, seed: true })),
    ];
  }

  /** New faces of the cameras that are due for a look. */
  async #search(frames: readonly FramePixels[]): Promise<Candidate[]> {
    const due = frames
      .map((frame) => ({ frame, camera: this.#camera(frame.cameraId) }))
      .filter(({ frame, camera }) => camera.wantsLook(frame.capturedAtMs));
    const found = await this.#finder.find(
      due.map(({ frame, camera }) => ({ picture: frame, memory: camera.memory })),
    );
    return due.flatMap(({ frame, camera }, i) => {
      const seen = found[i]!.map((detection) => expectationOf(frame, detection));
      camera.looked(
        seen.map(({ region }) => region),
        frame.capturedAtMs,
      );
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
      if (candidate.seed === true) candidate.camera.seeded(face !== undefined);
      if (face !== undefined) faces.push(face);
    }
    return faces;
  }

  async #take(candidate: Candidate, mesh: Mesh | undefined): Promise<Face | undefined> {
    const { camera, track, frame, detection } = candidate;
    const pose = mesh && this.#describer.pose(frame, mesh);
    const region = mesh && regionOfLandmarks(mesh.landmarks);
    const doubled = region && camera.tracks.some((other) => other !== track && sameFace(other.region, region)); // prettier-ignore
    if (mesh === undefined || region === undefined || pose === undefined || doubled === true) {
      if (track !== undefined) camera.end(track);
      return undefined;
    }
    const followed = track ?? camera.start(region);
    followed.region = track === undefined ? region : steady(track.region, region);
    return this.#describer.describe(
      frame,
      followed.id,
      detection?.score ?? mesh.presence,
      mesh,
      pose,
    );
  }
}

function order(frames: readonly FramePixels[], face: Face): number {
  return frames.findIndex(({ cameraId }) => cameraId === face.cameraId);
}
