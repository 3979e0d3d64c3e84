import type { RigCalibration } from '../../calibration/rig.js';
import { toRadians, type Vec3 } from '../../core/geometry.js';
import type { Split } from '../dataset/shard.js';
import { placeCamera } from './camera.js';
import { randomEnvironment, type Environment } from './light.js';
import type { Studio } from './people.js';
import { Random } from './random.js';
import { randomRoom } from './room.js';
import type { Scene } from './scene.js';
import { performAll } from './script.js';

/** What a generated scene consists of. */
export interface SceneSpec {
  /** One to four: a number, or who, as ids "portrait-variant". */
  readonly people: number | readonly string[];
  /** Whose skins are worn where only a number is given. */
  readonly split: Split;
  /** Angles of the cameras around the people, degrees; 0 is straight ahead. Two to eight. */
  readonly cameraAnglesDeg: readonly number[];
  readonly width: number;
  readonly height: number;
  readonly lengthS: number;
  readonly seed: number;
}

const HEAD_HEIGHT_M = 1.25;
const SEAT_APART_M = 0.6;

/** Seats people side by side facing +z, cameras on an arc in front of them. */
export async function castScene(studio: Studio, spec: SceneSpec): Promise<Scene> {
  const random = new Random(`scene ${String(spec.seed)}`);
  const ids = typeof spec.people === 'number' ? choose(studio, spec, random) : spec.people;
  const people = await Promise.all(
    ids.map(async (id, i) => {
      const [portrait = '', variant = '0'] = id.split('-');
      const person = await studio.person(portrait, Number(variant));
      const x = (i - (ids.length - 1) / 2) * SEAT_APART_M;
      const seat: Vec3 = [x, HEAD_HEIGHT_M + 0.03 * random.normal(), 0.03 * random.normal()];
      // Neighbours look a little towards the middle.
      const script = performAll(`${String(spec.seed)} ${id}`, spec.lengthS, seat, -12 * x);
      return { person, script };
    }),
  );
  return {
    room: randomRoom(`room ${String(spec.seed)}`),
    environment: friendlyLight(random),
    rig: placeRig(spec, ids.length, random),
    people,
  };
}

function choose(studio: Studio, { people, split }: SceneSpec, random: Random): string[] {
  const portraits = studio.portraits(split);
  const first = Math.floor(random.next() * portraits.length);
  return Array.from(
    { length: Number(people) },
    (_, i) =>
      `${portraits[(first + i * 3) % portraits.length] ?? ''}-${String(Math.floor(random.next() * 4))}`,
  );
}

/** Camera ids: `camera-1` … from the people's right to their left. */
export const cameraName = (index: number): string => `camera-${String(index + 1)}`;

function placeRig(spec: SceneSpec, people: number, random: Random): RigCalibration {
  const width = 0.46 + SEAT_APART_M * (people - 1);
  const distance = 1.1 + 0.5 * SEAT_APART_M * (people - 1);
  const entries = spec.cameraAnglesDeg.map((angleDeg, i) => {
    const angle = toRadians(angleDeg);
    const camera = placeCamera({
      position: [
        distance * Math.sin(angle) + 0.02 * random.normal(),
        HEAD_HEIGHT_M + 0.1 + 0.04 * random.normal(),
        distance * Math.cos(angle) + 0.02 * random.normal(),
      ],
      target: [0.01 * random.normal(), HEAD_HEIGHT_M - 0.02, 0],
      width: spec.width,
      height: spec.height,
      horizontalFieldDeg: 2 * ((Math.atan(width / 2 / distance) * 180) / Math.PI),
      distortion: [
        -0.08 + 0.02 * random.normal(),
        0.02,
        0.0005 * random.normal(),
        0.0005 * random.normal(),
        0,
      ],
      rollDeg: 1.2 * random.normal(),
    });
    return [cameraName(i), camera] as const;
  });
  return { units: 'metres', cameras: Object.fromEntries(entries) };
}

/** Enough light from ahead that nobody sits in the dark. */
function friendlyLight(random: Random): Environment {
  const { lobes } = randomEnvironment(random);
  return {
    ambient: [0.42, 0.4, 0.38],
    lobes: [
      { direction: [random.uniform(-0.7, 0.7), 0.6, 0.8], color: [0.5, 0.48, 0.45], sharpness: 5 },
      ...lobes.slice(0, 1).map((lobe) => ({
        ...lobe,
        color: lobe.color.map((value) => 0.35 * value) as unknown as Vec3,
      })),
    ],
  };
}
