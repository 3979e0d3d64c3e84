import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listDevices } from '../../../runtime/camera/devices.js';

// What FFmpeg 5 prints for a webcam, for a camera without compression and for a metadata node.
const COMPRESSING = `[video4linux2,v4l2 @ 0x55] Compressed:       mjpeg :          Motion-JPEG : 1280x720 640x480
[video4linux2,v4l2 @ 0x55] Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480 320x240
/dev/video0: Immediate exit requested`;
const RAW_ONLY =
  '[video4linux2,v4l2 @ 0x55] Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480';
const METADATA = '[video4linux2,v4l2 @ 0x55] Not a video capture device.';
const DENIED = '[video4linux2,v4l2 @ 0x55] Cannot open video device /dev/video3: Permission denied';

let root: string;
let sysfs: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'clmex-sysfs-'));
  sysfs = join(root, 'class');
  await mkdir(sysfs);
});
afterEach(() => rm(root, { recursive: true }));

/** A device as the kernel shows it: a link to the USB interface, whose parent knows its bus. */
async function plug(node: string, name: string, bus: number, speed: number): Promise<void> {
  const port = join(root, `usb-${node}`);
  await mkdir(join(port, 'interface'), { recursive: true });
  await writeFile(join(port, 'busnum'), `${bus}\n`);
  await writeFile(join(port, 'speed'), `${speed}\n`);
  await mkdir(join(sysfs, node));
  await writeFile(join(sysfs, node, 'name'), `${name}\n`);
  await symlink(join(port, 'interface'), join(sysfs, node, 'device'));
}

const modes = (texts: Record<string, string>) => (path: string) =>
  Promise.resolve(texts[path] ?? METADATA);

describe('the devices of a machine', () => {
  it('are cameras with their modes; nodes for metadata are left out', async () => {
    await plug('video0', 'Webcam', 1, 480);
    await plug('video1', 'Webcam', 1, 480);
    const { devices, warnings } = await listDevices(sysfs, modes({ '/dev/video0': COMPRESSING }));
    expect(devices).toEqual([
      {
        path: '/dev/video0', name: 'Webcam', usb: { bus: '1', mbitPerS: 480 }, problem: undefined,
        modes: [
          { format: 'mjpeg', compressed: true, sizes: ['1280x720', '640x480'] },
          { format: 'yuyv422', compressed: false, sizes: ['640x480', '320x240'] },
        ],
      },
    ]); // prettier-ignore
    expect(warnings).toEqual([]);
  });

  it('that share a slow bus are warned about, those on a fast or another one are not', async () => {
    await plug('video0', 'A', 1, 480);
    await plug('video2', 'B', 1, 480);
    await plug('video4', 'C', 2, 480);
    await plug('video6', 'D', 3, 5000);
    await plug('video8', 'E', 3, 5000);
    const every = Object.fromEntries(
      [0, 2, 4, 6, 8].map((n) => [`/dev/video${n}`, n === 2 ? RAW_ONLY : COMPRESSING]),
    );
    const { devices, warnings } = await listDevices(sysfs, modes(every));
    expect(devices).toHaveLength(5);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(
      /\/dev\/video0, \/dev\/video2 share USB bus 1 .*\/dev\/video2 cannot compress/,
    );
  });

  it('that may not be opened say what to do', async () => {
    await plug('video3', 'Locked', 1, 480);
    const { devices } = await listDevices(sysfs, modes({ '/dev/video3': DENIED }));
    expect(devices[0]!.problem).toMatch(/group `video`/);
  });

  it('are none where there are none', async () => {
    expect(await listDevices(join(root, 'nowhere'))).toEqual({ devices: [], warnings: [] });
  });
});
