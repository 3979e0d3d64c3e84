import {
  multiply,
  rotationFromVector,
  toRadians,
  type Mat3,
  type Vec3,
} from '../../core/geometry.js';
import type { ExpressionLabel } from '../../core/types.js';
import { fillBackdrop } from './backdrop.js';
import { placeCamera } from './camera.js';
import { randomMoment, type Recipe } from './expression.js';
import { headSurfaces, lightHead } from './head.js';
import type { Person } from './person.js';
import { randomEnvironment } from './light.js';
import type { Studio } from './people.js';
import { degrade, develop, randomSensor } from './picture.js';
import type { Random } from './random.js';
import { Target } from './rasterise.js';
import type { ShapeWeights } from './shape.js';
import { headTruth, type HeadTruth } from './truth.js';

/** Side of a training picture; the head fills most of it. */
export const PORTRAIT_SIDE = 224;
const SAMPLES = 2;

/** One picture of a capture. */
interface CaptureView extends HeadTruth {
  /** RGB24, {@link PORTRAIT_SIDE} squared. */
  readonly pixels: Uint8Array;
  /** Angle of the camera around the person, −90 … 90. */
  readonly azimuthDeg: number;
}

/** One moment of one person, seen by several cameras at once. */
export interface Capture {
  readonly personId: string;
  readonly recipe: Recipe;
  readonly shapes: ShapeWeights;
  readonly views: readonly CaptureView[];
}

/** Renders captures; one a thread, as it keeps its target between them. */
export class CaptureRenderer {
  readonly #studio: Studio;
  readonly #target = new Target(PORTRAIT_SIDE * SAMPLES, PORTRAIT_SIDE * SAMPLES);

  constructor(studio: Studio) {
    this.#studio = studio;
  }

  /** A random moment with this label, from `views` directions spread over −90 … 90°. */
  async capture(
    person: Person,
    label: ExpressionLabel,
    views: number,
    random: Random,
  ): Promise<Capture> {
    const { model, visibility } = this.#studio;
    const { recipe, shapes } = randomMoment(random, label);
    const rotation = turn(random.uniform(-180, 180), 6 * random.normal(), 4 * random.normal());
    const neck = turn(12 * random.normal(), 5 * random.normal(), 3 * random.normal());
    const environment = turnedToFace(randomEnvironment(random), rotation);
    const lit = lightHead(model, visibility, person, shapes, environment, rotation, neck);
    const place = { rotation, position: [0, 0, 0] as Vec3 };
    const pictures: CaptureView[] = [];
    for (let i = 0; i < views; i++) {
      const azimuthDeg = -90 + (180 * (i + random.next())) / views;
      const camera = this.#camera(rotation, azimuthDeg, random);
      fillBackdrop(this.#target, random);
      this.#target.draw(headSurfaces(model, lit, place, camera, SAMPLES));
      const sensor = randomSensor(random);
      const raw = develop(this.#target, SAMPLES, sensor, random);
      const pixels = await degrade(raw, PORTRAIT_SIDE, PORTRAIT_SIDE, sensor);
      pictures.push({ pixels, azimuthDeg, ...headTruth(camera, place, lit.positions) });
    }
    return { personId: person.id, recipe, shapes, views: pictures };
  }

  #camera(head: Mat3, azimuthDeg: number, random: Random) {
    const azimuth = toRadians(azimuthDeg);
    const elevation = toRadians(12 * random.normal() + 3);
    const distance = random.uniform(0.9, 2.5);
    // In head axes: in front is +z, the person's left +x.
    const local: Vec3 = [
      distance * Math.sin(azimuth) * Math.cos(elevation),
      distance * Math.sin(elevation),
      distance * Math.cos(azimuth) * Math.cos(elevation),
    ];
    const world = (v: Vec3): Vec3 => [
      head[0] * v[0] + head[1] * v[1] + head[2] * v[2],
      head[3] * v[0] + head[4] * v[1] + head[5] * v[2],
      head[6] * v[0] + head[7] * v[1] + head[8] * v[2],
    ];
    const aim: Vec3 = [0.012 * random.normal(), 0.012 * random.normal(), 0.02];
    const height = random.uniform(0.34, 0.46); // metres of the scene in the picture
    return placeCamera({
      position: world(local),
      target: world(aim),
      width: PORTRAIT_SIDE,
      height: PORTRAIT_SIDE,
      horizontalFieldDeg: (2 * Math.atan(height / 2 / distance) * 180) / Math.PI,
      distortion: [0.1 * random.normal(), 0, 0, 0, 0],
      rollDeg: 6 * random.normal(),
    });
  }
}

/** Rotation by yaw about y, then pitch about x, then roll about z, in degrees. */
export function turn(yawDeg: number, pitchDeg: number, rollDeg: number): Mat3 {
  const about = (axis: Vec3, deg: number): Mat3 =>
    rotationFromVector([
      axis[0] * toRadians(deg),
      axis[1] * toRadians(deg),
      axis[2] * toRadians(deg),
    ]);
  return multiply(
    about([0, 1, 0], yawDeg),
    multiply(about([1, 0, 0], pitchDeg), about([0, 0, 1], rollDeg)),
  );
}

function turnedToFace(environment: ReturnType<typeof randomEnvironment>, rotation: Mat3) {
  const [ax, az] = [rotation[2], rotation[8]]; // where the face looks, on the floor
  return {
    ...environment,
    lobes: environment.lobes.map((lobe) => {
      const [x, y, z] = lobe.direction;
      return { ...lobe, direction: [x * az + z * ax, y, z * az - x * ax] as Vec3 };
    }),
  };
}
