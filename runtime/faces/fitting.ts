import { uprightOf, regionOfDetection, type Detection } from './detection.js';
import type { Mesh, Mesher } from './mesh.js';
import { turnBetween, type Pixels, type Region } from './region.js';

/** Presence from which on a region holds a face (MediaPipe's own default). */
const PRESENT = 0.5;

/** A place where a face is expected. */
export interface Expectation {
  readonly picture: Pixels;
  readonly region: Region;
  /** What the detector saw there, if it was the detector that asked. */
  readonly detection?: Detection | undefined;
}

/**
 * Fits the mesh wherever a face is expected, in one call of the model. Where it sees no face, looks
 * again a little differently, until a look shows one: a profile's eyes lie on one another, so that
 * their line says nothing about the head's turn, and the region it gives is often the wrong one.
 * @returns A mesh for each expectation, undefined where no look shows a face.
 */
export async function fitMeshes(
  mesher: Mesher,
  expectations: readonly Expectation[],
): Promise<(Mesh | undefined)[]> {
  const first = await mesher.fit(expectations);
  const meshes = first.map((mesh, i) => (accepts(mesh, expectations[i]!) ? mesh : undefined));
  const doubtful = first.map(({ presence }) => presence >= HOPELESS);
  for (const look of SECOND_LOOKS) {
    const again = expectations.flatMap((expectation, i) =>
      meshes[i] === undefined && doubtful[i] === true
        ? [{ i, picture: expectation.picture, region: look(expectation) }]
        : [],
    );
    const more = await mesher.fit(again);
    again.forEach(({ i }, k) => {
      if (accepts(more[k]!, expectations[i]!)) meshes[i] = more[k];
    });
  }
  return meshes;
}

/** Presence below which other looks show no face either. */
const HOPELESS = 0.01;

/** Looks that follow one which shows no face, the likeliest to help first. */
const SECOND_LOOKS: readonly ((expectation: Expectation) => Region)[] = [
  ({ region, detection }) =>
    scaled(region, 1.15, detection === undefined ? region.rotation : uprightOf(detection)),
  ({ region }) => scaled(region, 0.85, straight(region)),
  ({ region }) => scaled(region, 1, straight(region)),
];

/** The nearest quarter turn: heads are upright far more often than not. */
const straight = ({ rotation }: Region): number => (Math.round(rotation / (Math.PI / 2)) * Math.PI) / 2; // prettier-ignore

function scaled(region: Region, scale: number, rotation: number): Region {
  return { ...region, width: region.width * scale, height: region.height * scale, rotation };
}

/** Farthest the mesh's nose and mouth may lie from the detector's, in sides of its box. */
const FARTHEST = 0.3;
/** Mesh points beside the detector's nose tip and mouth. */
const NOSE = 1;
const MOUTH = 13;

function accepts({ presence, landmarks }: Mesh, { detection }: Expectation): boolean {
  if (!(presence >= PRESENT)) return false;
  if (detection === undefined) return true;
  const [, , nose, mouth] = detection.keypoints;
  const near = (point: number, [x, y]: readonly [number, number]): boolean =>
    Math.hypot(landmarks[point * 3]! - x, landmarks[point * 3 + 1]! - y) < FARTHEST * detection.box.width; // prettier-ignore
  return near(NOSE, nose!) && near(MOUTH, mouth!);
}

/** Past this the eyes' line is not believed: they lie on one another, or one is not an eye. */
const MOST_APART = Math.PI / 9;

/**
 * Expectation that a detection raises: MediaPipe's own region, turned by eyes and mouth together
 * where the eyes' line alone says something else.
 */
export function expectationOf(picture: Pixels, detection: Detection): Expectation {
  const region = regionOfDetection(detection);
  const upright = uprightOf(detection);
  const believed = turnBetween(region.rotation, upright) < MOST_APART;
  return { picture, detection, region: believed ? region : { ...region, rotation: upright } };
}
