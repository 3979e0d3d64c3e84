import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import type { Face } from '../../../core/types.js';
import { createOnnxRuntime } from '../../../runtime/engine/onnxruntime.js';
import { FaceStage } from '../../../runtime/faces/faces.js';
import { describeWithData, sharedData } from '../../support/shared-data.js';
import { videoFrames } from '../../support/video-frames.js';

type Views = Readonly<Record<string, readonly number[]>>;

/** Clockwise quarter turns that set each camera's pictures upright. */
const TURNS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  charuco_calibration: {},
  '4_cam_recording': { cam_1: 3, cam_2: 1 },
};

/** Runs a whole rig through the stage, four cameras at a time. */
async function facesOf(rig: string, cameras: readonly string[]): Promise<Face[][]> {
  const engine = createOnnxRuntime(1);
  const stage = await FaceStage.create({ engine, detector: 'auto', maxFaces: 3 });
  const videos = cameras.map((camera) =>
    videoFrames(sharedData('caliscope', rig, `${camera}.mp4`), 1280, 720, TURNS[rig]![camera] ?? 0),
  );
  const sets: Face[][] = [];
  for (;;) {
    const frames = await Promise.all(videos.map((video) => video.next()));
    const capturedAtMs = (sets.length * 1000) / 6;
    const set = frames.flatMap(({ done, value }, i) =>
      done === true ? [] : [{ cameraId: cameras[i]!, capturedAtMs, ...value }],
    );
    if (set.length < cameras.length) break;
    sets.push(await stage.push(set));
  }
  await Promise.all(videos.map((video) => video.return(undefined)));
  await stage.close();
  return sets;
}

describeWithData('on two real rigs', () => {
  it('finds the face in nine of ten views that show an eye and the mouth, and no other for long', async () => {
    const text = await readFile(new URL('visible-views.json', import.meta.url), 'utf8');
    const labels = JSON.parse(text) as Record<string, Views>;
    let [found, visible] = [0, 0];
    for (const [rig, views] of Object.entries(labels)) {
      const sets = await facesOf(rig, Object.keys(views));
      for (const [camera, frames] of Object.entries(views)) {
        visible += frames.length;
        const shown = frames.filter((i) => sets[i]!.some(({ cameraId }) => cameraId === camera));
        found += shown.length;
        console.info(`${rig} ${camera}: ${shown.length} of ${frames.length}`);
      }
      expect(longestFalseFace(sets)).toBeLessThanOrEqual(1);
      expect(sets.filter(showsOneTwice)).toHaveLength(0);
    }
    console.info(`found ${found} of ${visible}`);
    expect(found / visible).toBeGreaterThanOrEqual(0.9);
  }, 180_000);
});

/** Whether one camera shows the one person as two faces. */
function showsOneTwice(set: readonly Face[]): boolean {
  return new Set(set.map(({ cameraId }) => cameraId)).size < set.length;
}

/**
 * The rigs show one person, whose head stays within a fifth of the picture's longer side of its
 * middle place. Frame sets in a row in which one track shows something else.
 */
function longestFalseFace(sets: readonly (readonly Face[])[]): number {
  const all = sets.flat();
  const middle = (camera: string, of: (face: Face) => number): number => {
    const sorted = all.filter(({ cameraId }) => cameraId === camera).map(of).sort((a, b) => a - b);
    return sorted[sorted.length >> 1]!;
  }; // prettier-ignore
  const x = ({ box }: Face): number => box.x + box.width / 2;
  const y = ({ box }: Face): number => box.y + box.height / 2;
  const runs = new Map<string, number>();
  for (const face of all) {
    const distance = Math.hypot(x(face) - middle(face.cameraId, x), y(face) - middle(face.cameraId, y)); // prettier-ignore
    if (distance > 1280 / 5) runs.set(face.trackId, (runs.get(face.trackId) ?? 0) + 1);
  }
  for (const [track, sets] of runs) console.info(`false face ${track}: ${sets} sets`);
  return Math.max(0, ...runs.values());
}
