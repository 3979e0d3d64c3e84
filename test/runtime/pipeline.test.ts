import { describe, expect, it } from 'vitest';
import type { ExpressionScores, Face, FrameSet, RawFrame } from '../../core/types.js';
import type { Model } from '../../encoder/index.js';
import type { EncoderView } from '../../runtime/embed/embed.js';
import type { FramePixels, Inference } from '../../runtime/inference/inference.js';
import { Live } from '../../runtime/live.js';
import { Pipeline } from '../../runtime/pipeline.js';
import { VirtualClock } from '../../runtime/clock.js';
import { parseConfig } from '../../runtime/config.js';
import type { Camera } from '../../runtime/camera/index.js';
import { arc, faceOf, headAt } from '../support/heads.js';

const rig = arc([-30, 30]);
const cameraIds = Object.keys(rig.cameras);
const PERIOD_MS = 100;
const { sync } = parseConfig({ cameras: [{ id: 'x', source: { kind: 'video', path: 'x' } }] });

/** Scripted faces: both cameras see one person; embeddings carry the crop's first byte. */
class ScriptedInference implements Inference {
  readonly info = { engine: 'scripted', model: 'scripted', cropSize: 1 };
  readonly seen: string[][] = [];
  beforeFaces: () => Promise<void> = () => Promise.resolve();

  async faces(frames: readonly FramePixels[]): Promise<Face[]> {
    await this.beforeFaces();
    this.seen.push(frames.map(({ cameraId }) => cameraId));
    return frames.map(({ cameraId, capturedAtMs, pixels }) => ({
      ...faceOf(cameraId, rig.cameras[cameraId]!, headAt([0, 0, 0]), { capturedAtMs }),
      crop: pixels.slice(0, 1),
    }));
  }

  embed(views: readonly EncoderView[]): Promise<Float32Array[]> {
    return Promise.resolve(views.map(({ crop }) => Float32Array.from(crop)));
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  adopt(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Says how bright the views are: enough to see that the right embeddings reach the right person. */
const model = {
  manifest: { labels: ['dark', 'bright'] },
  fuse: (embeddings: readonly Float32Array[]) => {
    const mean = embeddings.reduce((sum, [value]) => sum + value! / 255, 0) / embeddings.length;
    return {
      probabilities: [1 - mean, mean],
      weights: embeddings.map(() => 1 / embeddings.length),
    };
  },
} as unknown as Model;

class Frames {
  open = 0;
  #sequence = new Map<string, number>();

  at(cameraId: string, ms: number, brightness = 200): RawFrame {
    const sequence = this.#sequence.get(cameraId) ?? 0;
    this.#sequence.set(cameraId, sequence + 1);
    this.open++;
    let held = true;
    return {
      cameraId, sequence, stampMs: ms, stampSource: 'file', arrivedAtMs: ms, width: 1, height: 1,
      pixels: new Uint8Array(new SharedArrayBuffer(3)).fill(brightness),
      close: () => {
        if (held) this.open--;
        held = false;
      },
    }; // prettier-ignore
  }
}

function pipelineOf(inference: Inference, clock = new VirtualClock()): Pipeline {
  return new Pipeline(
    { cameraIds, sync, calibration: rig, subjects: { max: 2, leftAfterMs: 500 } },
    { clock, model, inference },
  );
}

async function feed(pipeline: Pipeline, clock: VirtualClock, frames: Frames, sets: number) {
  const scores: ExpressionScores[] = [];
  const take = async (done: readonly FrameSet[]): Promise<void> => {
    for await (const result of pipeline.processAll(done)) scores.push(...result.scores);
  };
  for (let i = 0; i < sets; i++) {
    clock.advanceTo(1000 + i * PERIOD_MS);
    for (const id of cameraIds) await take(pipeline.push(frames.at(id, clock.nowMs(), 204)));
  }
  await take(pipeline.close().sets);
  return scores;
}

/** Lets everything go on that waits for nothing outside. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the pipeline', () => {
  it('turns frames of two cameras into one score a person and set, and gives every frame back', async () => {
    const clock = new VirtualClock();
    const frames = new Frames();
    const scores = await feed(pipelineOf(new ScriptedInference(), clock), clock, frames, 20);
    expect(scores.length).toBeGreaterThan(15);
    expect(new Set(scores.map(({ subjectId }) => subjectId))).toEqual(new Set(['person-1']));
    for (const score of scores) {
      expect(score.top).toBe('bright');
      expect(score.confidence).toBeCloseTo(0.8, 5);
      expect(score.views.map(({ cameraId }) => cameraId)).toEqual(cameraIds);
      expect(Object.keys(score.stageMs)).toEqual(['sync', 'faces', 'views', 'embed', 'fuse']);
    }
    expect(frames.open).toBe(0);
  });

  it('goes over to another model between two sets, with a score for every one', async () => {
    const clock = new VirtualClock();
    const frames = new Frames();
    const pipeline = pipelineOf(new ScriptedInference(), clock);
    const dimmed = {
      ...model,
      fuse: (embeddings: readonly Float32Array[]) => ({
        probabilities: [0.9, 0.1],
        weights: embeddings.map(() => 1 / embeddings.length),
      }),
    } as unknown as Model;
    const tops: string[] = [];
    for (let i = 0; i < 20; i++) {
      clock.advanceTo(1000 + i * PERIOD_MS);
      const sets = cameraIds.flatMap((id) => pipeline.push(frames.at(id, clock.nowMs(), 204)));
      const results = sets.map((set) => pipeline.process(set));
      if (i === 10) void pipeline.swap(dimmed);
      for (const { scores } of await Promise.all(results)) tops.push(...scores.map(({ top }) => top)); // prettier-ignore
    }
    const swapped = tops.indexOf('dark');
    expect(swapped).toBeGreaterThan(3);
    expect(tops.slice(swapped).every((top) => top === 'dark')).toBe(true);
    expect(tops.slice(0, swapped).every((top) => top === 'bright')).toBe(true);
    expect(tops.length).toBeGreaterThan(13);
    for (const set of pipeline.close().sets) set.close();
    expect(frames.open).toBe(0);
  });

  it('looks for the faces of two sets at a time, no more, and scores sets in their order', async () => {
    const clock = new VirtualClock();
    const frames = new Frames();
    const inference = new ScriptedInference();
    const finish: (() => void)[] = [];
    inference.beforeFaces = () => new Promise((resolve) => finish.push(resolve));
    const pipeline = pipelineOf(inference, clock);
    const order: number[] = [];
    const done: Promise<unknown>[] = [];
    for (let i = 0; i < 8; i++) {
      clock.advanceTo(1000 + i * PERIOD_MS);
      for (const set of cameraIds.flatMap((id) => pipeline.push(frames.at(id, clock.nowMs())))) {
        done.push(pipeline.process(set).then(({ index }) => order.push(index)));
      }
    }
    expect(done.length).toBeGreaterThan(3);
    await settle();
    expect(finish).toHaveLength(2);
    finish[1]!();
    await settle();
    expect([finish.length, order]).toEqual([2, []]);
    finish[0]!();
    await settle();
    expect(finish).toHaveLength(4);
    for (let i = 2; i < done.length; i++) {
      finish[i]!();
      await settle();
    }
    await Promise.all(done);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    for (const set of pipeline.close().sets) set.close();
    expect(frames.open).toBe(0);
  });

  it('gives frames back even where a network breaks', async () => {
    const clock = new VirtualClock();
    const frames = new Frames();
    const inference = new ScriptedInference();
    inference.beforeFaces = () => Promise.reject(new Error('out of memory'));
    const pipeline = pipelineOf(inference, clock);
    await expect(feed(pipeline, clock, frames, 20)).rejects.toThrow('out of memory');
    for (const set of pipeline.close().sets) set.close();
    expect(frames.open).toBe(0);
  });
});

describe('a live pipeline', () => {
  it('lets the newest set wait for a slow network, and counts every set that gave way', async () => {
    const frames = new Frames();
    const inference = new ScriptedInference();
    inference.beforeFaces = () => new Promise((resolve) => setTimeout(resolve, 40));
    const clock = { nowMs: () => performance.now() };
    const pipeline = new Pipeline(
      {
        cameraIds: ['cam-0'],
        sync,
        calibration: undefined,
        subjects: { max: 1, leftAfterMs: 500 },
      },
      { clock, model, inference },
    );
    const camera = scriptedCamera('cam-0', async function* () {
      for (let i = 0; i < 60; i++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        yield frames.at('cam-0', performance.now());
      }
    });
    let done = 0;
    let skipped = 0;
    const handle = async (set: FrameSet): Promise<void> => {
      await pipeline.process(set);
      done++;
    };
    await new Live(pipeline, [camera], clock, handle, {
      frame: () => undefined,
      skipped: () => skipped++,
    }).run();
    expect(done).toBeGreaterThan(2);
    expect(skipped).toBeGreaterThan(2);
    expect(frames.open).toBe(0);
  });

  it('goes on with the other cameras when one breaks, and fails when all did', async () => {
    const frames = new Frames();
    const inference = new ScriptedInference();
    const clock = { nowMs: () => performance.now() };
    const broken = (id: string): Camera =>
      // eslint-disable-next-line require-yield -- a source that breaks before its first frame
      scriptedCamera(id, async function* () {
        await Promise.resolve();
        throw new Error(`${id} is no video`);
      });
    const sound = scriptedCamera('cam-1', async function* () {
      for (let i = 0; i < 10; i++) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        yield frames.at('cam-1', performance.now());
      }
    });
    const run = (cameras: readonly Camera[]): Promise<void> => {
      const pipeline = pipelineOf(inference);
      const handle = async (set: FrameSet): Promise<void> => {
        await pipeline.process(set);
      };
      return new Live(pipeline, cameras, clock, handle, {
        frame: () => undefined,
        skipped: () => undefined,
      }).run();
    };
    await run([broken('cam-0'), sound]);
    expect(inference.seen.flat()).toContain('cam-1');
    await expect(run([broken('cam-0'), broken('cam-1')])).rejects.toThrow('is no video');
    expect(frames.open).toBe(0);
  });
});

function scriptedCamera(id: string, frames: () => AsyncGenerator<RawFrame, void, void>): Camera {
  return {
    id,
    frames,
    status: () => ({
      cameraId: id, state: 'live', detail: undefined, frames: 0, drops: {}, reconnects: 0, width: 1, height: 1,
    }), // prettier-ignore
    close: () => Promise.resolve(),
  };
}
