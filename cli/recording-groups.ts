import type { RigCalibration } from '../calibration/index.js';
import { ClmexError } from '../core/errors.js';
import type { Face } from '../core/types.js';
import { createOnnxRuntime } from '../runtime/engine/onnxruntime.js';
import { FaceStage } from '../runtime/faces/faces.js';
import { decodePicture } from '../runtime/image.js';
import {
  readRecording, readRecordingRig, readTruth,
  type RecordedFrame,
} from '../runtime/recording/index.js'; // prettier-ignore
import type { ReadGroup, ReadView, Skipped } from './read-groups.js';
import { labelOf, personOf, trueInstants, type TrueInstant } from './truth-people.js';

/** Instants nearer than this to the one before show nearly the same pictures. */
const LEAST_APART_MS = 200;
/** Half a period at 15 frames a second. */
const TOLERANCE_MS = 34;
const MOST_FACES = 8;

/**
 * Instants of a recording that knows the truth: what its cameras saw of one person at one of them is
 * a group. Faces are given to people by where the truth puts their heads, not by the runtime's own
 * grouping.
 * @throws ClmexError `invalid-file` where the recording has no truth, or no calibrated cameras.
 */
export async function readRecordingGroups(
  path: string,
  labels: readonly string[],
): Promise<{ groups: ReadGroup[]; skipped: Skipped[] }> {
  const rig = await readRecordingRig(path);
  const instants = apart(trueInstants(await readTruth(path)));
  if (rig === undefined || instants.length === 0) {
    throw new ClmexError('invalid-file', 'holds no truth, or not where its cameras stand', {
      field: '--data',
      value: path,
      allowed: 'a recording with truth and calibration, as clmex synth recording writes it',
    });
  }
  const engine = createOnnxRuntime(1);
  const stage = await FaceStage.create({ engine, detector: 'auto', maxFaces: MOST_FACES });
  const seen = new SeenPeople(instants, rig, labels);
  try {
    for await (const entry of readRecording(path)) {
      if (entry.kind !== 'frame') continue;
      const instant = seen.wants(entry.frame);
      if (instant !== undefined) seen.add(instant, await facesIn(stage, entry.frame));
    }
  } finally {
    await stage.close();
  }
  return seen.result(path);
}

async function facesIn(stage: FaceStage, frame: RecordedFrame): Promise<Face[]> {
  const { cameraId, trueCapturedAtMs = 0, jpeg } = frame;
  const picture = await decodePicture(jpeg, `${cameraId} ${frame.sequence}`);
  return stage.push([{ cameraId, capturedAtMs: trueCapturedAtMs, ...picture }]);
}

function apart(instants: readonly TrueInstant[]): TrueInstant[] {
  const chosen: TrueInstant[] = [];
  for (const instant of instants) {
    if (instant.atMs - (chosen.at(-1)?.atMs ?? -Infinity) >= LEAST_APART_MS) chosen.push(instant);
  }
  return chosen;
}

class SeenPeople {
  readonly #instants: readonly TrueInstant[];
  readonly #rig: RigCalibration;
  readonly #labels: readonly string[];
  /** By instant and person. */
  readonly #views = new Map<string, ReadView[]>();
  readonly #taken = new Set<string>();

  constructor(instants: readonly TrueInstant[], rig: RigCalibration, labels: readonly string[]) {
    this.#instants = instants;
    this.#rig = rig;
    this.#labels = labels;
  }

  /** The instant that a frame shows, the first time a camera shows it. */
  wants({ cameraId, trueCapturedAtMs }: RecordedFrame): number | undefined {
    if (trueCapturedAtMs === undefined) return undefined;
    const at = this.#instants.findIndex(
      ({ atMs }) => Math.abs(atMs - trueCapturedAtMs) <= TOLERANCE_MS,
    );
    const key = `${cameraId} ${at}`;
    if (at < 0 || this.#taken.has(key)) return undefined;
    this.#taken.add(key);
    return at;
  }

  add(instant: number, faces: readonly Face[]): void {
    const { people } = this.#instants[instant]!;
    for (const face of faces) {
      const person = personOf(face, people, this.#rig);
      if (person === undefined) continue;
      const key = `${instant} ${person.id}`;
      const views = this.#views.get(key) ?? [];
      const { crop, landmarks, pose, quality } = face;
      views.push({ ...pose, quality, crop, landmarks });
      this.#views.set(key, views);
    }
  }

  result(path: string): { groups: ReadGroup[]; skipped: Skipped[] } {
    const [groups, skipped]: [ReadGroup[], Skipped[]] = [[], []];
    for (const [i, { atMs, people }] of this.#instants.entries()) {
      for (const person of people) {
        const label = labelOf(person, this.#labels);
        if (label < 0) continue;
        const views = this.#views.get(`${i} ${person.id}`);
        if (views) groups.push({ personId: person.id, label, views });
        else
          skipped.push({ path, reason: `no camera shows ${person.id} at ${Math.round(atMs)} ms` });
      }
    }
    return { groups, skipped };
  }
}
