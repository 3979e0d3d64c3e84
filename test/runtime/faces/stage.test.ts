import { beforeAll, describe, expect, it } from 'vitest';
import { createOnnxRuntime } from '../../../runtime/engine/onnxruntime.js';
import { FaceStage } from '../../../runtime/faces/faces.js';
import { regionOfLandmarks } from '../../../runtime/faces/mesh.js';
import { decodePicture } from '../../../runtime/image.js';
import type { FramePixels } from '../../../runtime/inference/inference.js';
import { readRecording } from '../../../runtime/recording/index.js';

const RECORDING = 'samples/recordings/two-people.mcap';
const engine = createOnnxRuntime(1);
const open = (maxFaces: number) => FaceStage.create({ engine, detector: 'auto', maxFaces });

/** The first frames of each camera of the sample: two rendered people from four sides. */
async function sample(frames: number): Promise<Map<string, FramePixels[]>> {
  const cameras = new Map<string, FramePixels[]>();
  for await (const entry of readRecording(RECORDING)) {
    if (entry.kind !== 'frame') continue;
    const { cameraId, stampMs, jpeg } = entry.frame;
    const list = cameras.get(cameraId) ?? [];
    cameras.set(cameraId, list);
    if (list.length < frames)
      list.push({ cameraId, capturedAtMs: stampMs, ...(await decodePicture(jpeg)) });
    if (cameras.size === 4 && [...cameras.values()].every(({ length }) => length === frames)) break;
  }
  return cameras;
}

describe('the faces stage', () => {
  let cameras: Map<string, FramePixels[]>;
  beforeAll(async () => {
    cameras = await sample(8);
  });

  it('follows each face of the sample under one track, up to a full profile', async () => {
    const stage = await open(4);
    const tracks = new Map<string, Set<string>>();
    const sets = new Map<string, number>();
    for (let i = 0; i < 8; i++) {
      const faces = await stage.push([...cameras.values()].map((frames) => frames[i]!));
      for (const { cameraId, trackId } of faces) {
        tracks.set(cameraId, (tracks.get(cameraId) ?? new Set()).add(trackId));
        sets.set(trackId, (sets.get(trackId) ?? 0) + 1);
      }
    }
    await stage.close();
    // The first camera sees one of the two from behind their cheek: that face comes and goes.
    expect(sets.get('camera-1/1')).toBe(8);
    for (const id of ['camera-2', 'camera-3', 'camera-4']) expect(tracks.get(id)!.size).toBe(2);
  });

  it('finds in a batch what it finds camera by camera', async () => {
    const set = [...cameras.values()].map((frames) => frames[0]!);
    const together = await open(2);
    const alone = await open(2);
    const batch = await together.push(set);
    const single = (await Promise.all([alone.push([set[0]!])])).flat();
    for (const frame of set.slice(1)) single.push(...(await alone.push([frame])));
    expect(batch.map(({ cameraId }) => cameraId)).toEqual(single.map(({ cameraId }) => cameraId));
    batch.forEach((face, i) => {
      const most = face.landmarks.reduce((m, v, k) => Math.max(m, Math.abs(v - single[i]!.landmarks[k]!)), 0); // prettier-ignore
      expect(most).toBeLessThan(1e-2);
    });
    await together.close();
    await alone.close();
  });

  it('states quality between 0 and 1, a crop of the asked size and a head before the camera', async () => {
    const stage = await open(2);
    for (const face of await stage.push([[...cameras.values()][1]![0]!])) {
      expect(face.quality).toBeGreaterThan(0);
      expect(face.quality).toBeLessThanOrEqual(1);
      expect(face.crop).toHaveLength(64 * 64);
      expect(new Set(face.crop).size).toBeGreaterThan(30);
      expect(face.head.position[2]).toBeGreaterThan(0.2);
      expect(face.blendshapes).toBeUndefined();
    }
    await stage.close();
  });

  it('follows no more faces than it may', async () => {
    const stage = await open(1);
    const [frames] = cameras.values();
    for (const frame of frames!) expect((await stage.push([frame])).length).toBeLessThanOrEqual(1);
    await stage.close();
  });

  it('looks where another camera says, and keeps nothing where no face is', async () => {
    const finder = await open(2);
    const [frames] = cameras.values();
    const [frame] = frames!;
    const [face] = await finder.push([frame!]);
    await finder.close();
    const seeded = await open(2);
    const black = { ...frame!, pixels: new Uint8Array(frame!.pixels.length) };
    seeded.seed(black.cameraId, regionOfLandmarks(face!.landmarks));
    expect(await seeded.push([black])).toEqual([]);
    seeded.seed(frame!.cameraId, regionOfLandmarks(face!.landmarks));
    const found = await seeded.push([frame!]);
    expect(found.some(({ box }) => Math.abs(box.x - face!.box.x) < face!.box.width / 5)).toBe(true);
    await seeded.close();
  });

  it('answers pictures of any size without a face with none', async () => {
    const stage = await open(2);
    for (const [width, height] of [[1, 1], [1, 900], [1600, 2], [64, 64]] as const) {
      const pixels = new Uint8Array(width * height * 3).fill(127);
      const picture = { cameraId: 'empty', capturedAtMs: 0, width, height, pixels };
      expect(await stage.still(picture)).toEqual([]);
      expect(await stage.push([picture])).toEqual([]);
    } // prettier-ignore
    await stage.close();
  });

  it('names the landmark file that cannot be read', async () => {
    const missing = FaceStage.create({ engine, detector: 'short', maxFaces: 1, landmarks: 'no.task' }); // prettier-ignore
    await expect(missing).rejects.toMatchObject({ code: 'not-found', field: 'landmarks' });
  });
});
