import { access, constants } from 'node:fs/promises';
import { ClmexError } from '../../core/errors.js';
import type { RawFrame } from '../../core/types.js';
import { fieldOf, type CameraContext, type FrameSource, type SourceLife } from './camera.js';
import type { CameraConfig, SourceOf } from './config.js';
import { listDevices } from './devices.js';
import { ffmpegVersion } from './ffmpeg.js';
import { liveFrames } from './live-ffmpeg.js';

/** A Linux video device. Its stamps are the driver's, made when the frame was captured. */
export async function openV4l2(
  camera: CameraConfig,
  source: SourceOf<'v4l2'>,
  context: CameraContext,
): Promise<FrameSource> {
  await ffmpegVersion();
  const { device, size, fps, format, hwaccel, silenceMs } = source;
  const input = [
    ...(hwaccel === undefined ? [] : ['-hwaccel', hwaccel]),
    ...['-f', 'v4l2', '-fflags', 'nobuffer'],
    ...(format === undefined ? [] : ['-input_format', format]),
    ...(fps === undefined ? [] : ['-framerate', String(fps)]),
    ...(size === undefined ? [] : ['-video_size', `${size.width}x${size.height}`]),
    ...['-i', device],
  ];
  const stream = { input, size, stampSource: 'driver' } as const;
  async function* run(life: SourceLife): AsyncGenerator<RawFrame, void, void> {
    await checkDevice(fieldOf(camera, context), device);
    yield* liveFrames(camera, stream, context, life);
  }
  return { silenceMs, run };
}

/** Says what is wrong with a device in better words than FFmpeg. */
async function checkDevice(field: string, device: string): Promise<void> {
  try {
    await access(device, constants.R_OK | constants.W_OK);
  } catch (cause) {
    const denied = (cause as NodeJS.ErrnoException).code === 'EACCES';
    const { devices } = await listDevices();
    const known =
      devices.map(({ path }) => path).join(', ') || 'a device that is connected; none is now';
    throw new ClmexError('not-found', denied ? 'no permission for the device' : 'no such device', {
      field: `${field}.source.device`,
      value: device,
      allowed: denied ? 'a device this user may open (group `video`)' : known,
      cause,
    });
  }
}
