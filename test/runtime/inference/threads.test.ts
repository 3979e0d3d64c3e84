import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InferenceThreads } from '../../../runtime/inference/threads.js';
import type { FramePixels, InferenceOptions } from '../../../runtime/inference/inference.js';
import { decodePicture } from '../../../runtime/image.js';
import { readRecording } from '../../../runtime/recording/index.js';

const WORKER = new URL('../../../dist/inference-worker.js', import.meta.url);
const options: InferenceOptions = {
  engine: { kind: 'onnxruntime', threads: 1 },
  model: 'models/clmex-small',
  faces: { detector: 'auto', maxFaces: 2 },
};

/** The sample's cameras at their tenth frames. */
async function frameSet(): Promise<FramePixels[]> {
  const frames = new Map<string, FramePixels>();
  for await (const entry of readRecording('samples/recordings/two-people.mcap')) {
    if (entry.kind !== 'frame' || entry.frame.sequence < 10) continue;
    const { cameraId, capturedAtMs = 0, jpeg } = entry.frame;
    if (!frames.has(cameraId))
      frames.set(cameraId, { cameraId, capturedAtMs, ...(await decodePicture(jpeg)) });
    if (frames.size === 4) break;
  }
  return [...frames.values()];
}

describe('networks on several threads', () => {
  let one: InferenceThreads;
  let two: InferenceThreads;
  let frames: FramePixels[];

  beforeAll(async () => {
    frames = await frameSet();
    one = await InferenceThreads.start(WORKER, options, 1);
    two = await InferenceThreads.start(WORKER, options, 2);
  }, 60_000);
  afterAll(async () => {
    await Promise.all([one.close(), two.close()]);
  });

  it('find the same faces as one thread does, in the order of the frames', async () => {
    const alone = await one.faces(frames, []);
    const together = await two.faces(frames, []);
    expect(alone.length).toBeGreaterThan(4);
    expect(together.map(({ cameraId, trackId }) => [cameraId, trackId])).toStrictEqual(
      alone.map(({ cameraId, trackId }) => [cameraId, trackId]),
    );
    for (const [i, face] of together.entries()) {
      expect(Math.abs(face.pose.yawDeg - alone[i]!.pose.yawDeg)).toBeLessThan(0.1);
    }
  });

  it('follow a face under the same name from set to set', async () => {
    const names = async () => (await two.faces(frames, [])).map(({ trackId }) => trackId);
    expect(await names()).toStrictEqual(await names());
  });

  it('embed every view as one thread does, in their order, whatever their number', async () => {
    const views = await one.faces(frames, []);
    for (const count of [0, 1, 2, 3, views.length]) {
      const some = views.slice(0, count);
      const [alone, together] = [await one.embed(some), await two.embed(some)];
      expect(together).toHaveLength(count);
      together.forEach((vector, i) =>
        vector.forEach((value, k) => expect(value).toBeCloseTo(alone[i]![k]!, 4)),
      );
    }
  });

  it('say what is wrong with a model and leave no thread behind', async () => {
    const start = InferenceThreads.start(WORKER, { ...options, model: '/nowhere' }, 2);
    await expect(start).rejects.toMatchObject({ code: 'not-found' });
    const prepared = two.prepare('/nowhere');
    await expect(prepared).rejects.toMatchObject({ code: 'not-found' });
    expect(await two.faces(frames, [])).not.toHaveLength(0);
  });
});
