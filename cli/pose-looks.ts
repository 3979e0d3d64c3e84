import type { RigCalibration } from '../calibration/index.js';
import type { Face } from '../core/types.js';
import type { FaceStage } from '../runtime/faces/faces.js';
import { decodePicture } from '../runtime/image.js';
import type { FaceSeed, FramePixels } from '../runtime/inference/inference.js';
import { regionOfSeed } from '../runtime/inference/local.js';
import { readRecording } from '../runtime/recording/index.js';
import { seedsFor } from '../runtime/views/seeds.js';
import { ViewsStage } from '../runtime/views/views.js';

/** How pictures are looked at: each by itself, or followed, with or without seeds across cameras. */
export type Looking = 'still' | 'alone' | 'seeded';

/** The faces of frames of one instant. */
export type Finder = (frames: readonly FramePixels[]) => Promise<readonly Face[]>;

export function finderOf(stage: FaceStage, rig: RigCalibration, looking: Looking): Finder {
  if (looking === 'still') return (frames) => oneByOne(stage, frames);
  const views = new ViewsStage({
    cameraIds: Object.keys(rig.cameras),
    calibration: rig,
    maxSubjects: 8,
    leftAfterMs: 2000,
  });
  let seeds: FaceSeed[] = [];
  return async (frames) => {
    for (const seed of seeds) stage.seed(seed.cameraId, regionOfSeed(seed));
    const faces = await stage.push(frames);
    const groups = views.push(faces, frames[0]!.capturedAtMs);
    if (looking === 'seeded') seeds = seedsFor(groups, Object.keys(rig.cameras), rig);
    return faces;
  };
}

async function oneByOne(stage: FaceStage, frames: readonly FramePixels[]): Promise<Face[]> {
  const faces: Face[] = [];
  for (const frame of frames) faces.push(...(await stage.still(frame)));
  return faces;
}

/** Frames of a recording that were truly taken at one instant, where its clocks are perfect. */
export async function* instantsOf(path: string): AsyncGenerator<FramePixels[]> {
  let set: FramePixels[] = [];
  for await (const entry of readRecording(path)) {
    if (entry.kind !== 'frame') continue;
    const { cameraId, stampMs, trueCapturedAtMs = stampMs, jpeg } = entry.frame;
    if (set.length > 0 && Math.abs(set[0]!.capturedAtMs - trueCapturedAtMs) > 1) {
      yield set;
      set = [];
    }
    set.push({ cameraId, capturedAtMs: trueCapturedAtMs, ...(await decodePicture(jpeg, path)) });
  }
  if (set.length > 0) yield set;
}
