import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cameraSchema } from '../../../runtime/camera/config.js';
import { openCamera, Timeline, type CameraStatus } from '../../../runtime/camera/index.js';
import { systemClock } from '../../../runtime/clock.js';
import { childrenOf } from '../../support/processes.js';

const PATH = process.env['PATH']!;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clmex-commands-'));
});
afterEach(async () => {
  process.env['PATH'] = PATH;
  await rm(folder, { recursive: true });
});

/** The first thing that goes wrong with a source, and the children it leaves. */
async function failureOf(source: object): Promise<{ status: CameraStatus; children: string[] }> {
  const camera = await openCamera(cameraSchema.parse({ id: 'cam', source }), {
    clock: systemClock,
    timeline: new Timeline(systemClock),
  });
  const reading = camera
    .frames()
    .next()
    .catch(() => undefined);
  await expect.poll(() => camera.status().detail, { timeout: 20_000 }).toBeTruthy();
  const status = camera.status();
  await camera.close();
  await reading;
  const children = (await childrenOf()).map(({ name }) => name);
  return { status, children: children.filter((name) => /ffmpeg|gst|recorder/.test(name)) };
}

/**
 * Stands in for a tool whose device this machine lacks: writes down how it was called, and fails.
 * It may be tried again and ended while it writes: each list is whole before it takes its place.
 */
async function recorder(tool: string): Promise<() => Promise<string[]>> {
  const calls = join(folder, 'calls');
  const path = join(folder, tool);
  await writeFile(
    path,
    `#!/bin/sh
case "$1" in -version|--version) PATH='${PATH}' exec ${tool} "$1";; esac
printf '%s\\n' "$@" > '${calls}'.$$
mv '${calls}'.$$ '${calls}'
echo 'the device is busy' >&2
exit 1
`,
  );
  await chmod(path, 0o755);
  process.env['PATH'] = folder + delimiter + PATH;
  return async () => (await readFile(calls, 'utf8')).trimEnd().split('\n');
}

/** What stands behind a flag. */
const after = (args: string[], flag: string): string | undefined => args[args.indexOf(flag) + 1];

describe('a video device', () => {
  it('is asked for its format, rate, size and decoder before it is opened', async () => {
    const calls = await recorder('ffmpeg');
    const { status } = await failureOf({
      kind: 'v4l2', device: '/dev/null', format: 'mjpeg', fps: 25,
      size: { width: 640, height: 480 }, hwaccel: 'vaapi',
    }); // prettier-ignore
    const args = await calls();
    const input = args.slice(0, args.indexOf('-i') + 2);
    expect(input.slice(input.indexOf('-hwaccel'))).toEqual([
      '-hwaccel', 'vaapi', '-f', 'v4l2', '-fflags', 'nobuffer', '-input_format', 'mjpeg',
      '-framerate', '25', '-video_size', '640x480', '-i', '/dev/null',
    ]); // prettier-ignore
    expect(after(args, '-vf')).toMatch(/^scale=640:480,/);
    expect(status.detail).toMatch(/the device is busy/);
  });

  it('that is none says so in FFmpeg’s words, and is tried again', async () => {
    const { status, children } = await failureOf({ kind: 'v4l2', device: '/dev/null' });
    expect(status).toMatchObject({ state: 'reconnecting', frames: 0 });
    expect(status.detail).toMatch(/^FFmpeg: [^[]*Inappropriate ioctl/i);
    expect(children).toEqual([]);
  });
});

describe('a CSI camera', () => {
  const pipeline =
    'nvarguscamerasrc sensor-id=0 ! video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1 ! nvvidconv ! video/x-raw,format=BGRx';

  it('is opened by its pipeline, word by word, turned and brought to RGB behind it', async () => {
    const calls = await recorder('gst-launch-1.0');
    const { status } = await failureOf({ kind: 'gstreamer', pipeline });
    const args = await calls();
    expect(args.slice(0, 8)).toEqual([
      '-v', 'nvarguscamerasrc', 'sensor-id=0', '!',
      'video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1', '!', 'nvvidconv', '!',
    ]); // prettier-ignore
    expect(args).toContain('video/x-raw,format=RGB');
    expect(args.slice(-3)).toEqual(['fdsink', 'fd=3', 'sync=false']);
    expect(status.detail).toMatch(/the device is busy/);
  });

  it('on a machine without one names the element that is missing', async () => {
    const { status, children } = await failureOf({ kind: 'gstreamer', pipeline });
    expect(status.detail).toMatch(/nvarguscamerasrc/);
    expect(children).toEqual([]);
  });
});

describe('hardware decoding', () => {
  it('where there is no such hardware fails in FFmpeg’s words and leaves no child', async () => {
    const path = join(folder, 'pattern.mp4');
    execFileSync('ffmpeg', [
      '-loglevel', 'error', '-f', 'lavfi', '-i', 'testsrc=size=64x48:rate=10:duration=1',
      '-c:v', 'libx264', path,
    ]); // prettier-ignore
    for (const hwaccel of ['cuda', 'vaapi']) {
      const calls = await recorder('ffmpeg');
      const { status } = await failureOf({ kind: 'video', path, hwaccel });
      expect(status.detail).toMatch(/the device is busy/);
      const args = await calls();
      expect(args.indexOf('-hwaccel')).toBeLessThan(args.indexOf('-i'));
      expect(after(args, '-hwaccel')).toBe(hwaccel);
      process.env['PATH'] = PATH;
    }
    const camera = await openCamera(
      cameraSchema.parse({ id: 'cam', source: { kind: 'video', path, hwaccel: 'cuda' } }),
      { clock: systemClock, timeline: new Timeline(systemClock) },
    );
    const reading = camera.frames().next();
    await expect(reading).rejects.toMatchObject({
      code: 'source-failed',
      message: expect.stringMatching(/cuda|Device setup failed/) as unknown,
    });
    await camera.close();
    expect((await childrenOf()).map(({ name }) => name)).not.toContain('ffmpeg');
  });
});
