import {
  apply,
  multiply,
  norm,
  rotationFromVector,
  scale,
  toRadians,
  type Mat3,
  type Vec3,
} from '../../core/geometry.js';
import type { ExpressionLabel } from '../../core/types.js';
import { fillBackdrop } from './backdrop.js';
import { placeCamera } from './camera.js';
import { randomMoment, type Recipe } from './expression.js';
import { headSurfaces, lightHead, lightSolid, MODEL_UNIT, solidSurface } from './head.js';
import { heldObjects, makePasser } from './held.js';
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
/** Share of the moments in which something is held before the face, of views that somebody passes. */
const [HOLDS, PASSES] = [0.12, 0.05];

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
    const held = random.chance(HOLDS) ? heldObjects(person.head, person.skin.tone, random) : [];
    const bearing = { shapes, rotation, neck, held };
    const lit = lightHead(model, visibility, person, bearing, environment);
    const place = { rotation, position: [0, 0, 0] as Vec3 };
    const pictures: CaptureView[] = [];
    for (let i = 0; i < views; i++) {
      const azimuthDeg = -90 + (180 * (i + random.next())) / views;
      const local = aroundHead(azimuthDeg, random);
      const camera = aimedCamera(rotation, local, random);
      fillBackdrop(this.#target, random);
      const surfaces = headSurfaces(model, lit, place, camera, SAMPLES);
      if (random.chance(PASSES)) {
        const passer = makePasser(scale(local, 1 / MODEL_UNIT), random);
        const body = lightSolid(passer, environment, rotation);
        surfaces.push(solidSurface(body, place, camera, SAMPLES));
      }
      this.#target.draw(surfaces);
      const sensor = randomSensor(random);
      const raw = develop(this.#target, SAMPLES, sensor, random);
      const pixels = await degrade(raw, PORTRAIT_SIDE, PORTRAIT_SIDE, sensor);
      pictures.push({ pixels, azimuthDeg, ...headTruth(camera, place, lit.positions) });
    }
    return { personId: person.id, recipe, shapes, views: pictures };
  }
}

/** Where a camera stands, in head axes and metres: in front is +z, the person's left +x. */
function aroundHead(azimuthDeg: number, random: Random): Vec3 {
  const azimuth = toRadians(azimuthDeg);
  const elevation = toRadians(12 * random.normal() + 3);
  const distance = random.uniform(0.9, 2.5);
  return [
    distance * Math.sin(azimuth) * Math.cos(elevation),
    distance * Math.sin(elevation),
    distance * Math.cos(azimuth) * Math.cos(elevation),
  ];
}

/** A camera there that looks at the head. */
function aimedCamera(head: Mat3, local: Vec3, random: Random) {
  const aim: Vec3 = [0.012 * random.normal(), 0.012 * random.normal(), 0.02];
  const height = random.uniform(0.34, 0.46); // metres of the scene in the picture
  return placeCamera({
    position: apply(head, local),
    target: apply(head, aim),
    width: PORTRAIT_SIDE,
    height: PORTRAIT_SIDE,
    horizontalFieldDeg: (2 * Math.atan(height / 2 / norm(local)) * 180) / Math.PI,
    distortion: [0.1 * random.normal(), 0, 0, 0, 0],
    rollDeg: 6 * random.normal(),
  });
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
