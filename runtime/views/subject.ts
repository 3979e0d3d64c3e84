import { add, scale, subtract, type Mat3, type Vec3 } from '../../core/geometry.js';
import type { Face } from '../../core/types.js';
import { locate, type Observation } from './observation.js';

/** Prediction stops here: nobody walks on unseen for long. */
const LONGEST_PREDICTION_S = 0.5;
const VELOCITY_GAIN = 0.3;

/** One person as the rig follows them. */
export class Subject {
  /** Given once the person is believed in; until then nothing is said of them. */
  id: string | undefined;
  position: Vec3;
  rotation: Mat3;
  lastMs: number;
  seenSets = 0;
  #velocity: Vec3 = [0, 0, 0];
  readonly #trackIds = new Map<string, string>();

  constructor(views: readonly Observation[], atMs: number) {
    this.position = locate(views);
    this.rotation = mostFrontal(views).rotation;
    this.lastMs = atMs;
  }

  predict(atMs: number): Vec3 {
    const seconds = Math.min(LONGEST_PREDICTION_S, (atMs - this.lastMs) / 1000);
    return add(this.position, scale(this.#velocity, seconds));
  }

  follows(face: Face): boolean {
    return this.#trackIds.get(face.cameraId) === face.trackId;
  }

  update(views: readonly Observation[], atMs: number): void {
    const position = locate(views);
    const seconds = (atMs - this.lastMs) / 1000;
    if (seconds > 0 && views.length > 1) {
      const measured = scale(subtract(position, this.position), 1 / seconds);
      this.#velocity = add(
        scale(this.#velocity, 1 - VELOCITY_GAIN),
        scale(measured, VELOCITY_GAIN),
      );
    }
    this.position = position;
    this.rotation = mostFrontal(views).rotation;
    this.lastMs = atMs;
    this.seenSets++;
    for (const { face } of views) this.#trackIds.set(face.cameraId, face.trackId);
  }
}

/** The landmark model knows a head's turn best from the front. */
function mostFrontal(views: readonly Observation[]): Observation {
  return views.reduce((best, view) =>
    Math.abs(view.face.pose.yawDeg) < Math.abs(best.face.pose.yawDeg) ? view : best,
  );
}
