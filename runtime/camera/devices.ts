import { execFile } from 'node:child_process';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

interface DeviceMode {
  /** As FFmpeg names it, e.g. mjpeg, yuyv422. */
  readonly format: string;
  readonly compressed: boolean;
  readonly sizes: readonly string[];
}

interface VideoDevice {
  readonly path: string;
  readonly name: string;
  /** USB bus and its speed in Mbit/s, where the device is on one. */
  readonly usb: { readonly bus: string; readonly mbitPerS: number } | undefined;
  readonly modes: readonly DeviceMode[];
  /** Why the modes could not be read. */
  readonly problem: string | undefined;
}

export interface DeviceList {
  readonly devices: readonly VideoDevice[];
  readonly warnings: readonly string[];
}

/** USB 2 carries one uncompressed 720p stream at 10 Hz, or a few compressed ones. */
const SLOW_BUS_MBIT = 480;

/** What FFmpeg says about a device's modes, on stderr. */
export type ModeLister = (path: string) => Promise<string>;

/**
 * The capture devices of a Linux machine with their modes. Elsewhere, and without devices, the list
 * is empty.
 */
export async function listDevices(
  sysfs = '/sys/class/video4linux',
  modes: ModeLister = ffmpegModes,
): Promise<DeviceList> {
  const names = await readdir(sysfs).catch(() => [] as string[]);
  const devices: VideoDevice[] = [];
  for (const name of names.filter((entry) => /^video\d+$/.test(entry)).sort(byNumber)) {
    const path = `/dev/${name}`;
    const text = await modes(path);
    const list = parseModes(text);
    // A camera has a second node for metadata only: it has no modes and is no camera.
    const problem = list.length > 0 ? undefined : problemOf(text);
    if (list.length === 0 && problem === undefined) continue;
    devices.push({
      path,
      name: (await read(join(sysfs, name, 'name'))) ?? name,
      usb: await usbOf(join(sysfs, name)),
      modes: list,
      problem,
    });
  }
  return { devices, warnings: busWarnings(devices) };
}

function ffmpegModes(path: string): Promise<string> {
  const args = ['-hide_banner', '-f', 'v4l2', '-list_formats', 'all', '-i', path];
  // FFmpeg always fails here: it lists and opens nothing.
  return run('ffmpeg', args, { timeout: 5000 }).then(
    ({ stderr }) => stderr,
    (error: unknown) => {
      const { stderr, message } = error as Error & { readonly stderr?: string };
      return stderr === undefined || stderr === '' ? message : stderr;
    },
  );
}

/** Lines such as `[video4linux2,v4l2 @ …] Compressed:  mjpeg :  Motion-JPEG : 1280x720 640x480`. */
function parseModes(text: string): DeviceMode[] {
  return text.split('\n').flatMap((line) => {
    const match = /(Raw|Compressed)\s*:\s*(\S+)\s*:[^:]*:\s*(.*)$/.exec(line);
    if (match === null) return [];
    const [, kind, format, sizes] = match;
    return [
      { format: format!, compressed: kind === 'Compressed', sizes: sizes!.match(/\d+x\d+/g) ?? [] },
    ];
  });
}

function problemOf(text: string): string | undefined {
  const match = /(Permission denied|Device or resource busy|No such file or directory|ENOENT)/.exec(
    text,
  );
  if (match === null) return undefined;
  return match[1] === 'Permission denied'
    ? 'permission denied: add the user to the group `video`'
    : match[1]!.replace('ENOENT', 'ffmpeg is not installed');
}

async function usbOf(device: string): Promise<VideoDevice['usb']> {
  // …/usb1/1-4/1-4:1.0: the device above the interface knows its bus.
  const place = await realpath(join(device, 'device')).catch(() => undefined);
  if (place === undefined) return undefined;
  const bus = await read(join(place, '..', 'busnum'));
  const speed = await read(join(place, '..', 'speed'));
  return bus === undefined ? undefined : { bus, mbitPerS: Number(speed ?? NaN) };
}

function busWarnings(devices: readonly VideoDevice[]): string[] {
  const buses = new Map<string, VideoDevice[]>();
  for (const device of devices) {
    const { usb } = device;
    if (usb === undefined || usb.mbitPerS > SLOW_BUS_MBIT) continue;
    buses.set(usb.bus, [...(buses.get(usb.bus) ?? []), device]);
  }
  return [...buses].flatMap(([bus, sharing]) => {
    if (sharing.length < 2) return [];
    const names = sharing.map(({ path }) => path).join(', ');
    const raw = sharing.filter(({ modes }) => !modes.some(({ compressed }) => compressed));
    const hint =
      raw.length > 0
        ? `${raw.map(({ path }) => path).join(', ')} cannot compress: move it to another bus`
        : 'ask for format mjpeg, small sizes or few frames, or move one to another bus';
    return [
      `${names} share USB bus ${bus} (480 Mbit/s), which cannot carry them uncompressed: ${hint}`,
    ];
  });
}

async function read(path: string): Promise<string | undefined> {
  return (await readFile(path, 'utf8').catch(() => undefined))?.trim();
}

const byNumber = (a: string, b: string): number => Number(a.slice(5)) - Number(b.slice(5));
