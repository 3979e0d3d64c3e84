import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McapIndexedReader, McapStreamReader } from '@mcap/core';
import protobuf from 'protobufjs';
import 'protobufjs/ext/descriptor/index.js';
import sharp from 'sharp';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RigCalibration } from '../../../calibration/index.js';
import {
  readRecording, readRecordingRig, readTruth, RecordingWriter, summarizeRecording,
  type RecordedFrame, type RecordingEntry,
} from '../../../runtime/recording/index.js'; // prettier-ignore

let folder: string;
let path: string;
let jpeg: Uint8Array;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clmex-recording-'));
  path = join(folder, 'out.mcap');
  const noise = Buffer.alloc(64 * 48 * 3, 0).map((_, i) => (i * 7919) % 251);
  jpeg = await sharp(noise, { raw: { width: 64, height: 48, channels: 3 } })
    .jpeg()
    .toBuffer();
});
afterEach(() => rm(folder, { recursive: true }));

const frame = (cameraId: string, sequence: number): RecordedFrame => ({
  cameraId,
  sequence,
  stampMs: 0.1 + sequence * 33.333333333333336,
  stampSource: 'device',
  arrivedAtMs: 20.25 + sequence * 33.333333333333336,
  trueCapturedAtMs: sequence * 33.333333333333336,
  width: 64,
  height: 48,
  jpeg,
});

const rig: RigCalibration = {
  units: 'metres',
  cameras: {
    left: {
      width: 64,
      height: 48,
      matrix: { fx: 50, fy: 51, cx: 31.5, cy: 23.5 },
      distortion: [0.1, -0.02, 0.001, 0.002, 0.003],
      rotation: [0, 0, -1, 0, 1, 0, 1, 0, 0],
      translation: [0.5, 0, 2],
    },
  },
};

async function writeFrames(count: number, chunkBytes = 16 * 1024): Promise<void> {
  const writer = await RecordingWriter.create(path, { rig, chunkBytes, notes: { licence: 'MIT' } });
  for (let i = 0; i < count; i++) {
    await writer.writeFrame(frame('left', i));
    await writer.writeFrame(frame('right', i));
    await writer.writeTruth(i * 33, { instant: i });
  }
  await writer.close();
}

async function entries(): Promise<RecordingEntry[]> {
  const all: RecordingEntry[] = [];
  for await (const entry of readRecording(path)) all.push(entry);
  return all;
}

const framesOf = (all: RecordingEntry[]): RecordedFrame[] =>
  all.flatMap((entry) => (entry.kind === 'frame' ? [entry.frame] : []));

describe('a recording', () => {
  it('gives back every frame, exact in its times and its picture', async () => {
    await writeFrames(40);
    const frames = framesOf(await entries());
    expect(frames).toHaveLength(80);
    for (const [i, got] of frames.entries()) {
      const expected = frame(i % 2 === 0 ? 'left' : 'right', i >> 1);
      expect({ ...got, jpeg: undefined }).toEqual({ ...expected, jpeg: undefined });
      expect(Buffer.compare(got.jpeg, jpeg)).toBe(0);
    }
  });

  it('carries the rig, the notes and the truth', async () => {
    await writeFrames(3);
    expect(await readRecordingRig(path)).toEqual(rig);
    expect(await readTruth(path)).toEqual(
      [0, 1, 2].map((i) => ({ atMs: i * 33, value: { instant: i } })),
    );
    const summary = await summarizeRecording(path);
    expect(summary).toMatchObject({ truths: 3, truncated: false, notes: { licence: 'MIT' } });
    expect(summary.cameras.map(({ id, frames }) => [id, frames])).toEqual([
      ['left', 3],
      ['right', 3],
    ]);
  });

  it('is the same file, byte for byte, when written twice', async () => {
    await writeFrames(10);
    const first = await readFile(path);
    await rm(path);
    await writeFrames(10);
    expect(Buffer.compare(first, await readFile(path))).toBe(0);
  });

  it('is read by an indexed reader that knows only the schemas inside the file', async () => {
    await writeFrames(5);
    const bytes = await readFile(path);
    const reader = await McapIndexedReader.Initialize({
      readable: {
        size: () => Promise.resolve(BigInt(bytes.length)),
        read: (at, size) => Promise.resolve(bytes.subarray(Number(at), Number(at + size))),
      },
    });
    const seen = new Map<string, Record<string, unknown>[]>();
    for await (const message of reader.readMessages()) {
      const channel = reader.channelsById.get(message.channelId)!;
      const schema = reader.schemasById.get(channel.schemaId)!;
      if (schema.encoding !== 'protobuf') continue;
      const root = (
        protobuf.Root as unknown as { fromDescriptor(bytes: Uint8Array): protobuf.Root }
      ).fromDescriptor(schema.data);
      const type = root.lookupType(schema.name);
      const value = type.toObject(type.decode(message.data), { longs: Number });
      seen.set(schema.name, [...(seen.get(schema.name) ?? []), value]);
    }
    const images = seen.get('foxglove.CompressedImage')!;
    expect(images).toHaveLength(10);
    const meta = await sharp(images[0]!['data'] as Uint8Array).metadata();
    expect([images[0]!['format'], meta.format, meta.width]).toEqual(['jpeg', 'jpeg', 64]);
    const camera = seen.get('foxglove.CameraCalibration')![0]!;
    expect(camera).toMatchObject({ width: 64, K: [50, 0, 31.5, 0, 51, 23.5, 0, 0, 1] });
    // World to camera is a turn about y and a shift; the camera's own place is −Rᵀ t.
    const place = seen.get('foxglove.FrameTransform')![0]!;
    expect(place['translation']).toMatchObject({ x: -2, z: 0.5 });
    const { y, w } = place['rotation'] as { y: number; w: number };
    expect(Math.abs(y)).toBeCloseTo(Math.SQRT1_2, 12);
    expect(y * w).toBeCloseTo(0.5, 12);
  });

  it('gives the frames of one camera without the chunks that hold none of them', async () => {
    const writer = await RecordingWriter.create(path, { rig, chunkBytes: 1 });
    for (let i = 0; i < 40; i++) {
      await writer.writeFrame(frame(i % 4 === 3 ? 'right' : 'left', i));
    }
    await writer.close();
    const whole = await readFile(path);
    const of = async (cameraId: string): Promise<RecordedFrame[]> => {
      const all: RecordingEntry[] = [];
      for await (const entry of readRecording(path, { cameraId })) all.push(entry);
      return framesOf(all);
    };
    const all = framesOf(await entries());
    const right = all.filter(({ cameraId }) => cameraId === 'right');
    expect(right).toHaveLength(10);
    expect(await of('right')).toEqual(right);
    expect(await of('left')).toEqual(all.filter(({ cameraId }) => cameraId === 'left'));
    expect(await of('nobody')).toEqual([]);
    // A change in what the other camera has is not even seen.
    let fifth = -1;
    for (let i = 0; i < 5; i++) fifth = whole.indexOf(jpeg, fifth + 1);
    expect(fifth).toBeGreaterThan(0);
    whole[fifth + 40]! ^= 0xff;
    await writeFile(path, whole);
    expect(await of('right')).toEqual(right);
    await expect(of('left')).rejects.toMatchObject({ code: 'invalid-file' });
    await truncate(path, Math.floor(whole.length * 0.6));
    await expect(of('right')).rejects.toMatchObject({ code: 'invalid-file' });
  });

  it('gives them however the cameras’ frames lie in its chunks', async () => {
    const cameras = fc.array(fc.constantFrom('left', 'middle', 'right'), { minLength: 1, maxLength: 24 });
    await fc.assert(
      fc.asyncProperty(cameras, fc.integer({ min: 1, max: 4 * jpeg.length }), async (order, chunkBytes) => {
        const writer = await RecordingWriter.create(path, { chunkBytes, replace: true });
        for (const [i, cameraId] of order.entries()) await writer.writeFrame(frame(cameraId, i));
        await writer.close();
        for (const wanted of new Set(order)) {
          const sequences: number[] = [];
          for await (const entry of readRecording(path, { cameraId: wanted }))
            if (entry.kind === 'frame') sequences.push(entry.frame.sequence);
          expect(sequences).toEqual([...order.keys()].filter((i) => order[i] === wanted));
        }
      }),
      { numRuns: 40 },
    );
  }); // prettier-ignore

  it('opens up to its last whole chunk wherever it is cut', async () => {
    await writeFrames(40);
    const whole = framesOf(await entries());
    const { size } = await stat(path);
    const bytes = await readFile(path);
    let least = Infinity;
    for (const share of [0.2, 0.5, 0.77, 0.9]) {
      await writeFile(path, bytes);
      await truncate(path, Math.floor(size * share));
      const all = await entries();
      expect(all.at(-1)).toMatchObject({ kind: 'truncated' });
      const frames = framesOf(all);
      least = Math.min(least, frames.length);
      expect(frames.length).toBeGreaterThan(whole.length * share * 0.6);
      expect(frames).toEqual(whole.slice(0, frames.length));
      expect((await summarizeRecording(path)).truncated).toBe(true);
    }
    expect(least).toBeLessThan(whole.length);
  });

  it('leaves a file that opens when its writer never finishes', async () => {
    const writer = await RecordingWriter.create(path, { chunkBytes: 8 * 1024 });
    for (let i = 0; i < 40; i++) await writer.writeFrame(frame('left', i));
    const frames = framesOf(await entries());
    expect(frames.length).toBeGreaterThan(30);
    await writer.close();
  });
});

describe('a damaged or wrong recording', () => {
  it('is told from a good one, naming the file', async () => {
    await expect(summarizeRecording(join(folder, 'none.mcap'))).rejects.toMatchObject({
      code: 'not-found',
      value: join(folder, 'none.mcap'),
    });
    await expect(summarizeRecording(folder)).rejects.toMatchObject({ code: 'not-found' });
    await writeFile(path, '');
    await expect(summarizeRecording(path)).rejects.toMatchObject({ code: 'invalid-file' });
    await writeFile(path, 'not a recording at all, just text');
    await expect(summarizeRecording(path)).rejects.toMatchObject({ code: 'invalid-file' });
  });

  it('is refused when bytes inside a chunk have changed', async () => {
    await writeFrames(20);
    const bytes = await readFile(path);
    bytes[Math.floor(bytes.length / 2)]! ^= 0xff;
    await writeFile(path, bytes);
    await expect(summarizeRecording(path)).rejects.toMatchObject({ code: 'invalid-file' });
  });
});

describe('the recorder', () => {
  it('refuses a time that is not finite and goes on', async () => {
    const writer = await RecordingWriter.create(path);
    await expect(writer.writeFrame({ ...frame('left', 0), stampMs: NaN })).rejects.toMatchObject({
      code: 'invalid-argument',
      field: 'frame.stampMs',
    });
    await writer.writeFrame(frame('left', 1));
    await writer.close();
    expect(framesOf(await entries())).toHaveLength(1);
  });

  it('names the path it cannot write to', async () => {
    const nowhere = join(folder, 'no', 'such', 'folder.mcap');
    await expect(RecordingWriter.create(nowhere)).rejects.toMatchObject({
      code: 'invalid-argument',
      field: 'out',
      value: nowhere,
    });
  });

  it('does not start where the free space is below its reserve', async () => {
    const starting = RecordingWriter.create(path, { minFreeBytes: Number.MAX_SAFE_INTEGER });
    await expect(starting).rejects.toMatchObject({ code: 'limit-exceeded', field: 'out' });
    await expect(readFile(path)).rejects.toThrow('ENOENT');
  });

  it('says so when the disk fills up under it', async () => {
    const writing = RecordingWriter.create('/dev/full', { minFreeBytes: 0, replace: true });
    await expect(writing).rejects.toMatchObject({ code: 'limit-exceeded', field: 'out' });
  });

  it('writes calls that were not awaited in their order, and none after close', async () => {
    const writer = await RecordingWriter.create(path, { chunkBytes: 4096 });
    const writes = Array.from({ length: 30 }, (_, i) => writer.writeFrame(frame('left', i)));
    const closed = writer.close();
    await expect(writer.writeFrame(frame('left', 30))).rejects.toMatchObject({ code: 'closed' });
    await Promise.all([...writes, closed]);
    expect(framesOf(await entries()).map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 30 }, (_, i) => i),
    );
    const reader = new McapStreamReader();
    for await (const piece of createReadStream(path)) reader.append(piece as Uint8Array);
    while (reader.nextRecord() !== undefined);
    expect(reader.done()).toBe(true);
  });
});
