import type { CameraContext, FrameSource } from './camera.js';
import type { CameraConfig, SourceOf } from './config.js';
import { ffmpegVersion } from './ffmpeg.js';
import { liveFrames } from './live-ffmpeg.js';

/** A network stream: RTSP, MPEG-TS over UDP, MJPEG over HTTP and whatever else FFmpeg opens. */
export async function openRtsp(
  camera: CameraConfig,
  source: SourceOf<'rtsp'>,
  context: CameraContext,
): Promise<FrameSource> {
  const [major] = await ffmpegVersion();
  const { url, size, hwaccel, silenceMs, transport } = source;
  const rtsp = /^rtsps?:/.test(url);
  // FFmpeg before 5 calls it `stimeout`, and means a listening server by `timeout`.
  const timeout = [major >= 5 ? '-timeout' : '-stimeout', String(silenceMs * 1000)];
  const input = [
    ...(hwaccel === undefined ? [] : ['-hwaccel', hwaccel]),
    ...['-fflags', 'nobuffer', '-flags', 'low_delay', '-analyzeduration', '2000000'],
    ...(rtsp ? ['-rtsp_transport', transport, ...timeout] : []),
    ...['-i', url],
  ];
  const stream = { input, size, stampSource: rtsp ? 'rtp' : 'device' } as const;
  return { silenceMs, run: (life) => liveFrames(camera, stream, context, life) };
}
