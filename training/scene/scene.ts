import type { CameraCalibration, RigCalibration } from '../../calibration/rig.js';
import { add, apply, scale } from '../../core/geometry.js';
import type { ExpressionLabel, Head } from '../../core/types.js';
import { headSurfaces, lightHead, MODEL_UNIT, type LitHead } from './head.js';
import type { Person } from './person.js';
import type { Environment } from './light.js';
import { CANONICAL_ORIGIN } from './mesh468.js';
import type { Studio } from './people.js';
import { develop, type Sensor } from './picture.js';
import type { Random } from './random.js';
import { Target } from './rasterise.js';
import { paintRoom, type Room } from './room.js';
import type { Script } from './script.js';
import { headTruth, type HeadTruth } from './truth.js';

/** One to four people in a room, seen by calibrated cameras. */
export interface Scene {
  readonly room: Room;
  readonly environment: Environment;
  readonly rig: RigCalibration;
  readonly people: readonly { readonly person: Person; readonly script: Script }[];
}

/** What is true of one person in one picture. */
interface PersonTruth extends HeadTruth {
  readonly id: string;
  readonly label: ExpressionLabel;
  /** 0–1; 0 for neutral. */
  readonly strength: number;
}

/** One picture of a scene and the truth about it. */
export interface RenderedFrame {
  /** RGB24. */
  readonly pixels: Uint8Array;
  readonly timeS: number;
  readonly camera: CameraCalibration;
  readonly people: readonly PersonTruth[];
}

const SAMPLES = 2;

/** Renders one scene, camera by camera; keeps each camera's empty room. */
export class SceneRenderer {
  readonly #studio: Studio;
  readonly #scene: Scene;
  readonly #rooms = new Map<string, Float32Array>();
  #target = new Target(2, 2);

  constructor(studio: Studio, scene: Scene) {
    this.#studio = studio;
    this.#scene = scene;
  }

  /** What `cameraId` sees at `timeS`. `random` feeds the sensor's noise. */
  renderFrame(cameraId: string, timeS: number, sensor: Sensor, random: Random): RenderedFrame {
    const camera = this.#scene.rig.cameras[cameraId]!;
    const { model } = this.#studio;
    const actors = this.#scene.people.map(({ person, script }) => {
      const pose = script(timeS);
      return { person, pose, lit: this.#light(person, pose) };
    });
    const target = this.#prepare(cameraId, camera);
    target.draw(
      actors.flatMap(({ lit, pose }) => headSurfaces(model, lit, pose.place, camera, SAMPLES)),
    );
    return {
      pixels: develop(target, SAMPLES, sensor, random),
      timeS,
      camera,
      people: actors.map(({ person, pose: { label, strength, place }, lit }) => ({
        id: person.id,
        label,
        strength,
        ...headTruth(camera, place, lit.positions),
      })),
    };
  }

  /** The people at an instant, wherever the cameras are: world heads and deformed vertices. */
  peopleAt(timeS: number): readonly WorldPerson[] {
    return this.#scene.people.map(({ person, script }) => {
      const pose = script(timeS);
      const { rotation, position } = pose.place;
      const origin = apply(rotation, scale(CANONICAL_ORIGIN, MODEL_UNIT));
      return {
        id: person.id,
        label: pose.label,
        strength: pose.strength,
        head: { rotation, position: add(position, origin) },
        positions: this.#light(person, pose).positions,
      };
    });
  }

  #light(person: Person, { shapes, place, neck }: ReturnType<Script>): LitHead {
    const { model, visibility } = this.#studio;
    const bearing = { shapes, rotation: place.rotation, neck };
    return lightHead(model, visibility, person, bearing, this.#scene.environment);
  }

  #prepare(cameraId: string, camera: CameraCalibration): Target {
    let room = this.#rooms.get(cameraId);
    if (room === undefined) {
      room = paintRoom(this.#scene.room, camera, SAMPLES);
      this.#rooms.set(cameraId, room);
    }
    const [width, height] = [camera.width * SAMPLES, camera.height * SAMPLES];
    if (this.#target.width !== width || this.#target.height !== height) {
      this.#target = new Target(width, height);
    }
    this.#target.color.set(room);
    return this.#target;
  }
}

/** A person in the world's axes. */
export interface WorldPerson {
  readonly id: string;
  readonly label: ExpressionLabel;
  readonly strength: number;
  /** Rotation head to world, the head's origin in metres. */
  readonly head: Head;
  /** The model's vertices in head axes, centimetres from the model's own origin. */
  readonly positions: Float32Array;
}
