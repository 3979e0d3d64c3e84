import { Option, type Command } from 'commander';
import { z } from 'zod';
import {
  projectPoint, toCamera, type CameraCalibration, type RigCalibration,
} from '../calibration/index.js'; // prettier-ignore
import { apply, multiply, rotationAngleDeg, type Mat3, type Vec3 } from '../core/geometry.js';
import type { Face, HeadPose } from '../core/types.js';
import { createEngine } from '../runtime/engine/engine.js';
import { FaceStage } from '../runtime/faces/faces.js';
import { anglesOf, rotationOnto, rotationOf, towardsRay } from '../runtime/faces/pose.js';
import { readRecordingRig, readTruth } from '../runtime/recording/index.js';
import { unpackPoints } from '../training/scene/truth-record.js';
import { ClmexError } from '../core/errors.js';
import { SAMPLE_RECORDING } from './bench-environment.js';
import { printResult, progress } from './output.js';
import { finderOf, instantsOf, type Finder, type Looking } from './pose-looks.js';

interface Options {
  readonly landmarks?: string;
  readonly look: Looking;
  readonly json: boolean;
}

/** `clmex bench pose`: landmarks and head pose against the truth in rendered recordings, by yaw. */
export function register(bench: Command): void {
  bench
    .command('pose')
    .description('Landmarks and head pose against the truth of rendered recordings, by yaw.')
    .argument('[recording...]', 'recordings of clmex synth', [SAMPLE_RECORDING])
    .option('--landmarks <file>', 'a face_landmarker.task instead of the 468-point mesh')
    .addOption(
      new Option(
        '--look <how>',
        'pictures one by one, or followed, without or with cross-view seeds',
      )
        .choices(['still', 'alone', 'seeded'])
        .default('still'),
    )
    .option('--json', 'print one JSON document', false)
    .action(run);
}

const BIN_DEG = 15;
const BINS = 90 / BIN_DEG;

/** One person in one picture: where the head truly was and what was found of it. */
interface Look {
  readonly trueYawDeg: number;
  readonly found?: {
    readonly landmarkPercent: number;
    readonly error: HeadPose;
    readonly rotationDeg: number;
    readonly placeCm: number;
  };
}

async function run(recordings: readonly string[], options: Options): Promise<void> {
  const engine = await createEngine({ kind: 'onnxruntime', threads: 1 });
  const looks: Look[] = [];
  let unmatched = 0;
  for (const path of recordings) {
    const rig = await readRecordingRig(path);
    if (rig === undefined)
      throw new ClmexError('invalid-file', 'a recording without a calibration', { field: path });
    const stage = await FaceStage.create({ engine, detector: 'auto', maxFaces: 8, landmarks: options.landmarks, calibration: rig.cameras }); // prettier-ignore
    try {
      const find = finderOf(stage, rig, options.look);
      unmatched += await measure(path, rig, stage.canonical, find, looks);
    } finally {
      await stage.close();
    }
    progress(`${path}: ${looks.length} looks at a face so far`);
  }
  const bins = Array.from({ length: BINS }, (_, i) => summary(looks, i));
  const report = { recordings, look: options.look, bins, falseFaces: unmatched };
  printResult(options.json, report, () => text(bins, unmatched));
}

const personSchema = z.object({
  id: z.string(),
  head: z.object({
    rotation: z.array(z.number()).length(9),
    position: z.tuple([z.number(), z.number(), z.number()]),
  }),
  landmarks: z.string(),
});
type Person = z.infer<typeof personSchema>;
interface Instant {
  readonly atMs: number;
  readonly people: readonly Person[];
}

/** Adds the looks of one recording; returns how many faces belong to nobody. */
async function measure(
  path: string,
  rig: RigCalibration,
  canonical: FaceStage['canonical'],
  find: Finder,
  looks: Look[],
): Promise<number> {
  const truth = (await readTruth(path)).flatMap(({ atMs, value }): Instant[] => {
    const record = z.object({ people: z.array(personSchema) }).safeParse(value);
    return record.success ? [{ atMs, people: record.data.people }] : [];
  });
  if (truth.length === 0)
    throw new ClmexError('invalid-file', 'a recording without truth', { field: path });
  const faceAxes = new Map(axesOf(truth, canonical));
  let unmatched = 0;
  for await (const frames of instantsOf(path)) {
    const faces = await find(frames);
    for (const { cameraId, capturedAtMs } of frames) {
      const apart = (instant: Instant): number => Math.abs(instant.atMs - capturedAtMs);
      const instant = truth.reduce((best, other) => (apart(other) < apart(best) ? other : best));
      const left = new Set(faces.filter((face) => face.cameraId === cameraId));
      for (const person of instant.people)
        looks.push(lookAt(person, faceAxes.get(person.id)!, rig.cameras[cameraId]!, left));
      unmatched += left.size;
    }
  }
  return unmatched;
}

/**
 * Each person's face axes in the head's own: the canonical face laid on the mean of the person's
 * points by the landmarks pose is told by, so that truth and estimate speak of the same axes.
 */
function* axesOf(
  truth: readonly Instant[],
  { points, basis }: FaceStage['canonical'],
): Generator<[string, Mat3]> {
  const sums = new Map<string, Float64Array>();
  for (const { people } of truth) {
    for (const { id, landmarks } of people) {
      const sum = sums.get(id) ?? new Float64Array(points.length);
      unpackPoints(landmarks).forEach((value, i) => (sum[i]! += value));
      sums.set(id, sum);
    }
  }
  for (const [id, sum] of sums) yield [id, rotationOnto(sum, points, basis)];
}

function lookAt(person: Person, axes: Mat3, camera: CameraCalibration, left: Set<Face>): Look {
  const head = person.head.rotation as unknown as Mat3;
  const place = toCamera(camera, person.head.position);
  const rotation = multiply(multiply(camera.rotation, head), axes);
  const pose = anglesOf(multiply(towardsRay(place), rotation));
  const [x, y] = projectPoint(camera, person.head.position) ?? [NaN, NaN];
  const apart = ({ box }: Face): number =>
    Math.hypot(box.x + box.width / 2 - x, box.y + box.height / 2 - y) / Math.max(box.width, box.height); // prettier-ignore
  const [face] = [...left].filter((other) => apart(other) < 1).sort((a, b) => apart(a) - apart(b));
  if (face === undefined) return { trueYawDeg: pose.yawDeg };
  left.delete(face);
  const turn = (a: number, b: number): number => Math.abs(((a - b + 540) % 360) - 180);
  return {
    trueYawDeg: pose.yawDeg,
    found: {
      landmarkPercent: landmarkError(face, person, head, camera),
      error: {
        yawDeg: turn(face.pose.yawDeg, pose.yawDeg),
        pitchDeg: turn(face.pose.pitchDeg, pose.pitchDeg),
        rollDeg: turn(face.pose.rollDeg, pose.rollDeg),
      },
      rotationDeg: rotationAngleDeg(rotationOf(face.pose), rotationOf(pose)),
      placeCm: 100 * Math.hypot(...face.head.position.map((value, i) => value - place[i]!)),
    },
  };
}

/** Corners of the eyes: outer right and left, inner right and left. */
const [EYE_RIGHT, EYE_LEFT, INNER_RIGHT, INNER_LEFT] = [33, 263, 133, 362];

/** Mean distance of the 468 points from the truth in the picture, in percent of the eyes' distance. */
function landmarkError(face: Face, person: Person, head: Mat3, camera: CameraCalibration) {
  const points = unpackPoints(person.landmarks);
  const at = (i: number): Vec3 => [points[3 * i]!, points[3 * i + 1]!, points[3 * i + 2]!];
  const middle = (a: Vec3, b: Vec3): Vec3 => a.map((v, k) => (v + b[k]!) / 2) as unknown as Vec3;
  const eyes = [middle(at(EYE_RIGHT), at(INNER_RIGHT)), middle(at(EYE_LEFT), at(INNER_LEFT))] as const; // prettier-ignore
  const metres = Math.hypot(...eyes[0].map((v, k) => v - eyes[1][k]!));
  const depth = toCamera(camera, person.head.position)[2];
  const unit = (metres * camera.matrix.fx) / depth;
  let [sum, count] = [0, 0];
  for (let i = 0; i < points.length / 3; i++) {
    const world = apply(head, at(i)).map((v, k) => v + person.head.position[k]!);
    const seen = projectPoint(camera, world as unknown as Vec3);
    if (seen === undefined) continue;
    sum += Math.hypot(face.landmarks[3 * i]! - seen[0], face.landmarks[3 * i + 1]! - seen[1]);
    count++;
  }
  return (100 * sum) / count / unit;
}

interface Bin {
  readonly yawDeg: string;
  readonly faces: number;
  readonly found: number;
  /** Medians. */
  readonly landmarkPercent: number;
  readonly yawErrorDeg: number;
  readonly pitchErrorDeg: number;
  readonly rollErrorDeg: number;
  readonly rotationErrorDeg: number;
  readonly placeErrorCm: number;
}

function summary(looks: readonly Look[], bin: number): Bin {
  const inside = looks.filter(({ trueYawDeg }) => Math.floor(Math.abs(trueYawDeg) / BIN_DEG) === bin); // prettier-ignore
  const found = inside.flatMap((look) => look.found ?? []);
  const median = (of: (look: NonNullable<Look['found']>) => number): number => {
    const sorted = found.map(of).sort((a, b) => a - b);
    return sorted[sorted.length >> 1] ?? NaN;
  };
  return {
    yawDeg: `${bin * BIN_DEG}–${(bin + 1) * BIN_DEG}`,
    faces: inside.length,
    found: found.length,
    landmarkPercent: median(({ landmarkPercent }) => landmarkPercent),
    yawErrorDeg: median(({ error }) => error.yawDeg),
    pitchErrorDeg: median(({ error }) => error.pitchDeg),
    rollErrorDeg: median(({ error }) => error.rollDeg),
    rotationErrorDeg: median(({ rotationDeg }) => rotationDeg),
    placeErrorCm: median(({ placeCm }) => placeCm),
  };
}

function text(bins: readonly Bin[], falseFaces: number): string {
  const header = 'yaw      faces found  landmarks  yaw  pitch  roll  rotation  place';
  const lines = bins.map((bin) => {
    const angles = [bin.yawErrorDeg, bin.pitchErrorDeg, bin.rollErrorDeg, bin.rotationErrorDeg].map((value) => `${value.toFixed(1)}°`.padStart(6)); // prettier-ignore
    return `${bin.yawDeg.padEnd(7)} ${String(bin.faces).padStart(6)} ${String(bin.found).padStart(5)}  ${bin.landmarkPercent.toFixed(1).padStart(6)} % ${angles.join('')}  ${bin.placeErrorCm.toFixed(0)} cm`;
  });
  return [header, ...lines, `faces of nobody: ${falseFaces}`].join('\n');
}
