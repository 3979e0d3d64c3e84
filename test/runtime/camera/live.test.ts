import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import type { RawFrame } from '../../../core/types.js';
import { cameraSchema } from '../../../runtime/camera/config.js';
import {
  openCamera,
  Timeline,
  type Camera,
  type CameraStatus,
} from '../../../runtime/camera/index.js';
import { systemClock } from '../../../runtime/clock.js';
import { childrenOf, Helper } from '../../support/processes.js';

type Look = Omit<RawFrame, 'pixels' | 'close'> & { readonly middle: number[] };

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const part of opened.splice(0).reverse()) await part.close();
});

const states: CameraStatus[] = [];
async function open(source: object, rotate = 0): Promise<Camera> {
  states.length = 0;
  const camera = await openCamera(cameraSchema.parse({ id: 'cam', source, rotate }), {
    clock: systemClock,
    timeline: new Timeline(systemClock),
    onStatus: (status) => states.push(status),
  });
  opened.push(camera);
  return camera;
}

function look(frame: RawFrame): Look {
  const { pixels, width, height } = frame;
  const at = ((height >> 1) * width + (width >> 1)) * 3;
  const middle = [...pixels.subarray(at, at + 3)];
  frame.close();
  return { ...frame, middle };
}

/** The camera's next frames, each closed when it has been looked at. */
async function take(frames: AsyncGenerator<RawFrame, void, void>, count: number): Promise<Look[]> {
  const seen: Look[] = [];
  while (seen.length < count) {
    const { value } = await frames.next();
    if (value === undefined) break;
    seen.push(look(value));
  }
  return seen;
}

const intervals = (seen: Look[]): number[] =>
  seen.slice(1).map(({ stampMs }, i) => stampMs - seen[i]!.stampMs);
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

const ffmpegs = async (): Promise<number[]> =>
  (await childrenOf()).filter(({ name }) => name === 'ffmpeg').map(({ pid }) => pid);

function helper(command: string, args: readonly string[]): Helper {
  const started = new Helper(command, args);
  opened.push({ close: () => started.stop() });
  return started;
}

async function rtspServer(): Promise<{ url: string; server: Helper }> {
  const server = helper('/usr/bin/python3', [
    join(import.meta.dirname, '../../support/rtsp-server.py'),
  ]);
  return { url: `rtsp://127.0.0.1:${await server.line()}/test`, server };
}

async function listen(server: Server | HttpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push({ close: () => new Promise((resolve) => server.close(resolve)) });
  return (server.address() as AddressInfo).port;
}

/** Accepts connections and never answers. */
async function silentServer(): Promise<number> {
  const sockets = new Set<Socket>();
  const port = await listen(
    createServer((socket) => sockets.add(socket.on('error', () => undefined))),
  );
  opened.push({
    close: () => {
      for (const socket of sockets) socket.destroy();
      return Promise.resolve();
    },
  });
  return port;
}

describe('a network camera', () => {
  it('delivers RTSP frames with their presentation stamps', async () => {
    const { url } = await rtspServer();
    const camera = await open({ kind: 'rtsp', url });
    const seen = await take(camera.frames(), 30);
    expect(seen[0]).toMatchObject({
      width: 160,
      height: 120,
      stampSource: 'device',
      cameraId: 'cam',
    });
    // 20 a second, on the sender's clock: arrivals jitter, stamps do not.
    expect(median(intervals(seen))).toBeCloseTo(50, 0);
    expect(seen.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 30 }, (_, i) => i));
    await camera.close();
    expect(await ffmpegs()).toEqual([]);
  });

  it('that keeps its clock by NTP is stamped with the time of day from its sender reports', async () => {
    const { url } = await rtspServer();
    const camera = await open({ kind: 'rtsp', url, ntp: true });
    const seen = await take(camera.frames(), 40);
    // Server and test share a clock: what is left is encoding and transport.
    for (const { stampMs, arrivedAtMs, stampSource } of seen) {
      expect(stampSource).toBe('rtp');
      expect(arrivedAtMs - stampMs).toBeGreaterThan(-20);
      expect(arrivedAtMs - stampMs).toBeLessThan(1500);
    }
    expect(median(intervals(seen))).toBeCloseTo(50, 0);
  });

  it('delivers MPEG-TS over UDP', async () => {
    const port = 40_000 + (process.pid % 20_000);
    const camera = await open({ kind: 'rtsp', url: `udp://127.0.0.1:${port}`, silenceMs: 15_000 });
    helper('ffmpeg', [
      ...['-v', 'error', '-re', '-f', 'lavfi', '-i', 'testsrc2=size=96x64:rate=25'],
      ...['-c:v', 'mpeg2video', '-g', '5', '-f', 'mpegts', `udp://127.0.0.1:${port}?pkt_size=1316`],
    ]);
    const seen = await take(camera.frames(), 20);
    expect(seen[0]).toMatchObject({ width: 96, height: 64, stampSource: 'device' });
    expect(median(intervals(seen))).toBeCloseTo(40, 0);
  });

  it('delivers MJPEG over HTTP, stamped on arrival because the stream has no stamps', async () => {
    const picture = (background: string) =>
      sharp({ create: { width: 64, height: 48, channels: 3, background } })
        .jpeg()
        .toBuffer();
    const pictures = [await picture('#ff0000'), await picture('#0000ff')];
    const server = createHttpServer((_, response) => {
      response.setHeader('content-type', 'multipart/x-mixed-replace;boundary=frame');
      let count = 0;
      const timer = setInterval(() => {
        const jpeg = pictures[count++ % 2]!;
        response.write(
          `--frame\r\nContent-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\n\r\n`,
        );
        response.write(jpeg);
        response.write('\r\n');
      }, 30);
      response.on('close', () => clearInterval(timer));
    });
    const port = await listen(server);
    const camera = await open({ kind: 'rtsp', url: `http://127.0.0.1:${port}/video.mjpg` });
    const seen = await take(camera.frames(), 12);
    expect(seen[5]).toMatchObject({ width: 64, height: 48, stampSource: 'arrival' });
    for (const { stampMs, arrivedAtMs } of seen) expect(stampMs).toBe(arrivedAtMs);
    const reds = seen.map(({ middle }) => middle[0]! > 128);
    expect(new Set(reds).size).toBe(2);
    await camera.close();
    server.closeAllConnections();
  });

  it('that accepts and says nothing is given up, tried again, and leaves no child', async () => {
    const port = await silentServer();
    const url = `rtsp://127.0.0.1:${port}/nothing`;
    const camera = await open({ kind: 'rtsp', url, silenceMs: 600 });
    const reading = camera.frames().next();
    await expect.poll(() => camera.status().reconnects, { timeout: 20_000 }).toBeGreaterThan(1);
    expect((await ffmpegs()).length).toBeLessThanOrEqual(1);
    expect(states.map(({ state }) => state)).toContain('silent');
    expect(states.find(({ state }) => state === 'reconnecting')?.detail).toMatch(
      /600 ms|timed out/i,
    );
    await camera.close();
    expect(await reading).toMatchObject({ done: true });
    expect(await ffmpegs()).toEqual([]);
  });

  it('that refuses says why', async () => {
    const port = await listen(createServer());
    const gone = port === 1 ? 2 : 1;
    const camera = await open({ kind: 'rtsp', url: `rtsp://127.0.0.1:${gone}/x` });
    const reading = camera.frames().next();
    await expect.poll(() => camera.status().detail, { timeout: 20_000 }).toMatch(/refused/i);
    await camera.close();
    await reading;
  });

  it(
    'is back after its decoder was killed, and after its server was',
    { timeout: 90_000 },
    async () => {
      const { url, server } = await rtspServer();
      const camera = await open({ kind: 'rtsp', url, silenceMs: 3000 });
      const frames = camera.frames();
      await take(frames, 5);
      const [decoder] = await ffmpegs();
      process.kill(decoder!, 'SIGKILL');
      const after = await take(frames, 20);
      expect(after).toHaveLength(20);
      expect(camera.status().reconnects).toBeGreaterThan(0);
      expect(states.map(({ state }) => state)).toEqual(
        expect.arrayContaining(['connecting', 'live', 'reconnecting']),
      );
      expect(camera.status().state).toBe('live');
      const before = camera.status().reconnects;
      await server.stop();
      const reading = (async () => {
        for await (const frame of { [Symbol.asyncIterator]: () => frames }) frame.close();
      })();
      await expect
        .poll(() => camera.status().reconnects, { timeout: 20_000 })
        .toBeGreaterThan(before);
      await camera.close();
      await reading;
      expect(await ffmpegs()).toEqual([]);
    },
  );
});

describe('a GStreamer pipeline', () => {
  const pipeline = (width: number) =>
    `videotestsrc is-live=true pattern=solid-color foreground-color=0xff2040e0 ! video/x-raw,width=${width},height=60,framerate=20/1`;

  it('delivers frames with stamps, rows that need padding too', async () => {
    for (const width of [80, 82]) {
      const camera = await open({ kind: 'gstreamer', pipeline: pipeline(width) });
      const seen = await take(camera.frames(), 12);
      expect(seen[0]).toMatchObject({ width, height: 60, stampSource: 'driver' });
      expect(median(intervals(seen))).toBeCloseTo(50, 0);
      const [r, g, b] = seen[3]!.middle;
      expect(Math.abs(r! - 0x20) + Math.abs(g! - 0x40) + Math.abs(b! - 0xe0)).toBeLessThan(24);
      await camera.close();
    }
  });

  it('is turned upright', async () => {
    const camera = await open({ kind: 'gstreamer', pipeline: pipeline(80) }, 1);
    expect((await take(camera.frames(), 1))[0]).toMatchObject({ width: 60, height: 80 });
  });

  it('that cannot be built says why', async () => {
    const camera = await open({ kind: 'gstreamer', pipeline: 'nosuchelement' });
    const reading = camera.frames().next();
    await expect.poll(() => camera.status().detail, { timeout: 20_000 }).toMatch(/nosuchelement/);
    await camera.close();
    await reading;
  });
});

describe('node-webcam', () => {
  it('delivers stills of the built-in test device', async () => {
    const size = { width: 320, height: 240 };
    const camera = await open({ kind: 'node-webcam', device: 'TEST', size, everyMs: 100 });
    const seen = await take(camera.frames(), 3);
    expect(seen[0]).toMatchObject({ ...size, stampSource: 'arrival' });
    expect(seen[2]!.stampMs).toBeGreaterThan(seen[1]!.stampMs);
  });

  it('takes no command from its configuration', () => {
    const source = { kind: 'node-webcam', device: 'TEST; touch /tmp/x' };
    expect(cameraSchema.safeParse({ id: 'cam', source }).success).toBe(false);
  });
});

describe('a device', () => {
  it('that is not there is named, with what there is, and waited for', async () => {
    const camera = await open({ kind: 'v4l2', device: '/dev/video97' });
    const reading = camera.frames().next();
    await expect.poll(() => camera.status().reconnects, { timeout: 20_000 }).toBeGreaterThan(0);
    const { detail } = states.find(({ state }) => state === 'reconnecting')!;
    expect(detail).toMatch(/no such device.*\/dev\/video97.*Allowed/);
    await camera.close();
    await reading;
  });
});

describe('without the tools', () => {
  it('the error names what to install', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = '/nowhere';
    try {
      const missing = {
        code: 'not-found',
        allowed: expect.stringContaining('apt install') as unknown,
      };
      await expect(open({ kind: 'gstreamer', pipeline: 'videotestsrc' })).rejects.toMatchObject(
        missing,
      );
      await expect(open({ kind: 'v4l2', device: '/dev/video0' })).rejects.toMatchObject(missing);
    } finally {
      process.env['PATH'] = path;
    }
  });
});
