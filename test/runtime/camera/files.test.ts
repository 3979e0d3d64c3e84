import { execFile } from 'node:child_process';
import { mkdtemp, rm, truncate, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RawFrame } from '../../../core/types.js';
import { cameraSchema, type CameraConfig } from '../../../runtime/camera/config.js';
import {
  mergeCameras,
  openCamera,
  Timeline,
  type CameraStatus,
} from '../../../runtime/camera/index.js';
import { systemClock, VirtualClock } from '../../../runtime/clock.js';
import { RecordingWriter } from '../../../runtime/recording/index.js';
import { turboJpeg } from '../../../runtime/camera/turbo-jpeg.js';
import { describeWithData, sharedData } from '../../support/shared-data.js';

const run = promisify(execFile);
let folder: string;
let video: string;
let timestamps: string;
let recording: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clmex-camera-'));
  video = join(folder, 'gradient.mp4');
  // Red grows to the right and green downwards, so that a turn shows.
  const ramp = "format=rgb24,geq=r='X*3':g='Y*4':b='N*20'";
  await run('ffmpeg', [
    ...['-v', 'error', '-f', 'lavfi', '-i', `color=size=80x60:rate=10:duration=1,${ramp}`],
    ...['-c:v', 'libx264', '-qp', '4', '-pix_fmt', 'yuv444p', video],
  ]);
  timestamps = join(folder, 'times.csv');
  const rows = Array.from({ length: 10 }, (_, i) => (100 + i * 0.1 + (i % 3) * 0.004).toFixed(6));
  await writeFile(timestamps, `seconds\n${rows.join('\n')}\n`);
  recording = join(folder, 'two.mcap');
  const jpeg = await sharp({
    create: { width: 64, height: 48, channels: 3, background: '#a04020' },
  })
    .jpeg()
    .toBuffer();
  const writer = await RecordingWriter.create(recording, { chunkBytes: 4096 });
  for (let i = 0; i < 30; i++) {
    for (const [cameraId, delayMs] of [
      ['left', 12],
      ['right', 30],
    ] as const) {
      await writer.writeFrame({
        cameraId, sequence: i, stampMs: 500 + i * 20, stampSource: 'device',
        arrivedAtMs: 1000 + i * 20 + delayMs, width: 64, height: 48, jpeg,
      }); // prettier-ignore
    }
  }
  await writer.close();
});
afterAll(() => rm(folder, { recursive: true }));

const config = (id: string, source: object, rotate = 0): CameraConfig =>
  cameraSchema.parse({ id, source, rotate });

const offline = () => ({
  clock: systemClock,
  timeline: new Timeline(systemClock),
  realtime: false,
});

/** What is left of a frame when it has been looked at and closed. */
async function look(config: CameraConfig, limit = Infinity) {
  const camera = await openCamera(config, offline());
  const seen: (Omit<RawFrame, 'pixels' | 'close'> & { pixels: Uint8Array })[] = [];
  for await (const frame of camera.frames()) {
    seen.push({ ...frame, pixels: Uint8Array.from(frame.pixels) });
    frame.close();
    if (seen.length >= limit) break;
  }
  await camera.close();
  return seen;
}

const pixel = (frame: { width: number; pixels: Uint8Array }, x: number, y: number) =>
  frame.pixels.subarray((y * frame.width + x) * 3, (y * frame.width + x) * 3 + 3);

describe('a video file', () => {
  it('gives every frame with its presentation time', async () => {
    const frames = await look(config('a', { kind: 'video', path: video }));
    expect(frames.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(frames.map(({ stampMs }) => Math.round(stampMs))).toEqual(
      [0, 100, 200, 300, 400, 500, 600, 700, 800, 900],
    ); // prettier-ignore
    expect(frames[4]).toMatchObject({ width: 80, height: 60, stampSource: 'file', cameraId: 'a' });
    expect(frames[0]!.pixels.buffer.byteLength).toBe(80 * 60 * 3);
  });

  it('takes its stamps from the timestamps file', async () => {
    const frames = await look(config('a', { kind: 'video', path: video, timestamps }));
    expect(frames.map(({ stampMs }) => Math.round(stampMs)).slice(0, 4)).toEqual(
      [100000, 100104, 100208, 100300],
    ); // prettier-ignore
  });

  it.each([
    [0, 80, 60, [70, 10], [70, 10]],
    [1, 60, 80, [49, 70], [70, 10]],
    [2, 80, 60, [9, 49], [70, 10]],
    [3, 60, 80, [10, 9], [70, 10]],
  ])('is turned clockwise by %i quarter turns', async (rotate, width, height, at, from) => {
    const [upright] = await look(config('a', { kind: 'video', path: video }), 1);
    const [turned] = await look(config('a', { kind: 'video', path: video }, rotate), 1);
    expect([turned!.width, turned!.height]).toEqual([width, height]);
    const expected = pixel(upright!, from[0]!, from[1]!);
    expect(Array.from(pixel(turned!, at[0]!, at[1]!))).toEqual(Array.from(expected));
  });

  it('is scaled to the size asked for', async () => {
    const size = { width: 40, height: 30 };
    const [frame] = await look(config('a', { kind: 'video', path: video, size }), 1);
    expect(frame).toMatchObject(size);
  });

  it('keeps its pixels in shared memory that is used again', async () => {
    const camera = await openCamera(config('a', { kind: 'video', path: video }), offline());
    const buffers = new Set<unknown>();
    for await (const frame of camera.frames()) {
      expect(frame.pixels.buffer).toBeInstanceOf(SharedArrayBuffer);
      buffers.add(frame.pixels.buffer);
      frame.close();
      frame.close();
    }
    await camera.close();
    expect(buffers.size).toBeLessThan(4);
  });

  it('is paced by its stamps in real time, keeping the relation to other files', async () => {
    const context = { clock: systemClock, timeline: new Timeline(systemClock) };
    const a = await openCamera(config('a', { kind: 'video', path: video, timestamps }), context);
    const b = await openCamera(config('b', { kind: 'video', path: video, timestamps }), context);
    const read = async (camera: typeof a) => {
      const seen: RawFrame[] = [];
      for await (const frame of camera.frames()) {
        seen.push(frame);
        frame.close();
      }
      await camera.close();
      return seen;
    };
    const [left, right] = await Promise.all([read(a), read(b)]);
    expect(left.map(({ stampMs }) => stampMs)).toEqual(right.map(({ stampMs }) => stampMs));
    expect(left[9]!.stampMs - left[0]!.stampMs).toBeCloseTo(900, 3);
    for (const { arrivedAtMs, stampMs } of left)
      expect(arrivedAtMs).toBeGreaterThanOrEqual(stampMs);
  });
});

describe('a recording', () => {
  it('gives its frames with their original stamps and arrivals', async () => {
    const frames = await look(config('left', { kind: 'recording', path: recording }));
    expect(frames).toHaveLength(30);
    expect(frames[7]).toMatchObject({ stampMs: 640, arrivedAtMs: 1152, stampSource: 'device' });
    const [r, g, b] = pixel(frames[7]!, 30, 20);
    expect(Math.abs(r! - 0xa0) + Math.abs(g! - 0x40) + Math.abs(b! - 0x20)).toBeLessThan(12);
  });

  it('is decoded by libjpeg-turbo as by sharp, to a few grey levels', async () => {
    const size = { width: 64, height: 48 };
    const wave = Uint8Array.from({ length: 64 * 48 * 3 }, (_, i) => 128 + 90 * Math.sin(i / 50));
    const raw = { ...size, channels: 3 } as const;
    const jpeg = await sharp(wave, { raw }).jpeg({ quality: 90 }).toBuffer();
    const exact = await sharp(jpeg).raw().toBuffer();
    const fast = turboJpeg()!;
    const pixels = new Uint8Array(new SharedArrayBuffer(exact.length));
    expect(await fast(jpeg, size, pixels)).toBe(true);
    const farthest = Math.max(...exact.map((value, i) => Math.abs(value - pixels[i]!)));
    expect(farthest).toBeLessThan(8);
    expect(await fast(jpeg.subarray(0, 100), size, pixels)).toBe(false);
    expect(await fast(jpeg, { width: 48, height: 64 }, pixels)).toBe(false);
  });

  it('leaves frames out undecoded while frame sets pile up, and counts them', async () => {
    const context = {
      clock: systemClock,
      timeline: new Timeline(systemClock),
      crowded: () => true,
    };
    const camera = await openCamera(
      config('left', { kind: 'recording', path: recording }),
      context,
    );
    for await (const frame of camera.frames()) frame.close();
    expect(camera.status()).toMatchObject({ frames: 30, drops: { backpressure: 30 } });
    await camera.close();
  });

  it('goes round when looped, time running on', async () => {
    const context = { clock: systemClock, timeline: new Timeline(systemClock) };
    const source = { kind: 'recording', path: recording, loop: true, cameraId: 'right' };
    const camera = await openCamera(config('x', source), context);
    const stamps: number[] = [];
    for await (const frame of camera.frames()) {
      stamps.push(frame.stampMs);
      frame.close();
      if (stamps.length === 45) break;
    }
    await camera.close();
    // Two cameras, first arrival 1012, last 1610, period 20: a round takes 618.
    expect(stamps[30]! - stamps[0]!).toBeCloseTo(618, 6);
    expect(stamps[44]!).toBeGreaterThan(stamps[29]!);
  });

  it('ends early and says so when it is cut off', async () => {
    const cut = join(folder, 'cut.mcap');
    await run('cp', [recording, cut]);
    await truncate(cut, Math.floor((await stat(cut)).size * 0.6));
    const camera = await openCamera(config('left', { kind: 'recording', path: cut }), offline());
    let frames = 0;
    for await (const frame of camera.frames()) {
      frames++;
      frame.close();
    }
    expect(frames).toBeGreaterThan(8);
    expect(camera.status()).toMatchObject({ state: 'ended', frames });
    expect(camera.status().detail).toMatch(/cut off/);
    await camera.close();
  });
});

describe('cameras merged offline', () => {
  const four = () =>
    Promise.all([
      openCamera(config('left', { kind: 'recording', path: recording }), offline()),
      openCamera(config('right', { kind: 'recording', path: recording }), offline()),
    ]);

  it('arrive in order, the clock moving with them, and end one by one', async () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    for await (const event of mergeCameras(await four(), clock)) {
      if (event.kind === 'frame') {
        expect(clock.nowMs()).toBe(event.frame.arrivedAtMs);
        order.push(event.frame.cameraId);
        event.frame.close();
      } else order.push(event.kind);
    }
    expect(order.slice(0, 6)).toEqual(['left', 'right', 'left', 'right', 'left', 'right']);
    expect(order.slice(-2)).toEqual(['right', 'ended']);
    expect(order).toHaveLength(62);
  });

  it('go on when one of them is broken', async () => {
    const broken = join(folder, 'broken.mp4');
    await writeFile(broken, 'no video here');
    const bad = await openCamera(config('bad', { kind: 'video', path: broken }), offline());
    const [left] = await four();
    let frames = 0;
    const failures: unknown[] = [];
    for await (const event of mergeCameras([bad, left], new VirtualClock())) {
      if (event.kind === 'frame') {
        frames++;
        event.frame.close();
      } else if (event.kind === 'failed') failures.push(event.error);
    }
    expect(frames).toBe(30);
    expect(failures).toEqual([expect.objectContaining({ code: 'source-failed' })]);
  });

  it('leave nothing open when the consumer stops early', async () => {
    const cameras = await four();
    for await (const event of mergeCameras(cameras, new VirtualClock())) {
      if (event.kind === 'frame') event.frame.close();
      break;
    }
    expect(cameras.map((camera) => camera.status().state)).toEqual(['closed', 'closed']);
  });
});

describe('bad files', () => {
  const failing = (source: object) => openCamera(config('cam', source), offline());
  const csv = async (text: string) => {
    const path = join(folder, 'bad.csv');
    await writeFile(path, text);
    return { kind: 'video', path: video, timestamps: path };
  };

  it('are named with the field, the value and what is allowed', async () => {
    await expect(failing({ kind: 'video', path: '/no/such.mp4' })).rejects.toMatchObject({
      code: 'not-found', field: 'cameras.cam.source.path', value: '/no/such.mp4',
    }); // prettier-ignore
    await expect(failing({ kind: 'recording', path: '/no/such.mcap' })).rejects.toMatchObject({
      code: 'not-found', field: 'cameras.cam.source.path',
    }); // prettier-ignore
    await expect(failing({ kind: 'recording', path: recording })).rejects.toMatchObject({
      code: 'not-found', field: 'cameras.cam.source.cameraId', value: 'cam', allowed: 'left, right',
    }); // prettier-ignore
  });

  it('with a timestamps row that is no number name the row', async () => {
    await expect(failing(await csv('seconds\n1.0\nNaN\n1.2\n'))).rejects.toMatchObject({
      code: 'invalid-file', field: 'cameras.cam.source.timestamps', value: 'NaN',
      message: expect.stringContaining('row 3') as unknown,
    }); // prettier-ignore
  });

  it('with too few or too many rows are refused before they start', async () => {
    const rows = (count: number) =>
      csv(`seconds\n${Array.from({ length: count }, (_, i) => i).join('\n')}`);
    for (const count of [9, 11]) {
      await expect(failing(await rows(count))).rejects.toMatchObject({
        code: 'invalid-file', value: count, allowed: '10 rows, one a frame',
      }); // prettier-ignore
    }
  });

  it('without the header are refused', async () => {
    await expect(failing(await csv('1.0\n1.1\n'))).rejects.toMatchObject({
      code: 'invalid-file',
      value: '1.0',
    });
  });

  it('tell their status', async () => {
    const broken = join(folder, 'noise.mp4');
    await writeFile(broken, Buffer.alloc(5000, 7));
    const states: CameraStatus[] = [];
    const onStatus = (status: CameraStatus) => states.push(status);
    const camera = await openCamera(config('cam', { kind: 'video', path: broken }), {
      ...offline(),
      onStatus,
    });
    await expect(camera.frames().next()).rejects.toMatchObject({ code: 'source-failed' });
    await camera.close();
    expect(states.map(({ state }) => state)).toEqual(['connecting', 'failed', 'closed']);
    expect(states[1]!.detail).toMatch(/noise\.mp4/);
  });
});

describeWithData('the four cameras of a real rig', () => {
  it('come in order of capture, each upright', { timeout: 120_000 }, async () => {
    const file = (n: number, suffix: string) =>
      sharedData('caliscope/4_cam_recording', `cam_${n}.${suffix}`);
    const cameras = await Promise.all(
      [0, 1, 2, 3].map((n) =>
        openCamera(
          config(`cam_${n}`, {
            kind: 'video', path: file(n, 'mp4'), timestamps: file(n, 'timestamps.csv'),
          }, n === 1 || n === 2 ? 1 : 0),
          offline(),
        ),
      ),
    ); // prettier-ignore
    let last = -Infinity;
    let frames = 0;
    const sizes = new Set<string>();
    for await (const event of mergeCameras(cameras, new VirtualClock())) {
      if (event.kind !== 'frame') continue;
      frames++;
      expect(event.frame.arrivedAtMs).toBeGreaterThanOrEqual(last);
      last = event.frame.arrivedAtMs;
      sizes.add(`${event.frame.cameraId} ${event.frame.width}x${event.frame.height}`);
      event.frame.close();
    }
    expect(frames).toBe(4 * 48);
    expect([...sizes].sort()).toEqual(
      ['cam_0 1280x720', 'cam_1 720x1280', 'cam_2 720x1280', 'cam_3 1280x720'],
    ); // prettier-ignore
  });
});
