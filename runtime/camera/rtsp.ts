import { ClmexError } from '../../core/errors.js';
import type { RawFrame } from '../../core/types.js';
import { fieldOf, type CameraContext, type FrameSource, type SourceLife } from './camera.js';
import type { CameraConfig, SourceOf } from './config.js';
import { ffmpegVersion } from './ffmpeg.js';
import { liveFrames, type LiveStream } from './live-ffmpeg.js';
import { RtspRelay } from './rtsp-relay.js';

/** A sender's clock further off than this, or this far ahead, is not the time of day. */
const MOST_BEHIND_MS = 10_000;
const MOST_AHEAD_MS = 100;
/** Longest look of FFmpeg at what a stream holds before it gives frames. */
const MOST_LOOK_US = 2_000_000;

/**
 * A network stream: RTSP, MPEG-TS over UDP, MJPEG over HTTP and whatever else FFmpeg opens. Its
 * stamps are the sender's presentation times. With `ntp` an RTSP camera's sender reports turn them
 * into times of day, which is right where camera and runtime both keep theirs by NTP.
 * @throws ClmexError `not-found` without FFmpeg, `invalid-config` where `ntp` cannot be had
 */
export async function openRtsp(
  camera: CameraConfig,
  source: SourceOf<'rtsp'>,
  context: CameraContext,
): Promise<FrameSource> {
  const [major] = await ffmpegVersion();
  const { url, silenceMs, ntp } = source;
  if (ntp && (!url.startsWith('rtsp:') || source.transport !== 'tcp')) {
    throw new ClmexError('invalid-config', 'sender reports can only be read from RTSP over TCP', {
      field: `${fieldOf(camera, context)}.source.ntp`,
      value: url,
      allowed: 'an rtsp:// address with transport tcp',
    });
  }
  const run = ntp
    ? (life: SourceLife) => timedFrames(camera, source, context, life, major)
    : (life: SourceLife) => liveFrames(camera, streamOf(source, url, major), context, life);
  return { silenceMs, run };
}

function streamOf(source: SourceOf<'rtsp'>, address: string, ffmpegMajor: number): LiveStream {
  const { size, hwaccel, silenceMs, transport } = source;
  const patience = String(silenceMs * 1000);
  // Whoever gives a stream less time than the look at it would take shall still see it open.
  const lookUs = Math.min(MOST_LOOK_US, silenceMs * 400);
  // FFmpeg before 5 calls it `stimeout`, and means a listening server by `timeout`.
  const timeout = [ffmpegMajor >= 5 ? '-timeout' : '-stimeout', patience];
  const input = [
    ...(hwaccel === undefined ? [] : ['-hwaccel', hwaccel]),
    ...['-fflags', 'nobuffer', '-flags', 'low_delay', '-analyzeduration', String(lookUs)],
    ...(/^rtsps?:/.test(address)
      ? ['-rtsp_transport', transport, '-allowed_media_types', 'video', ...timeout]
      : []),
    ...(/^(https?|tcp):/.test(address) ? ['-rw_timeout', patience] : []),
    ...['-i', address],
  ];
  return { input, size, stampSource: 'device' };
}

/** Frames stamped with the sender's time of day. Those before its first report have none. */
async function* timedFrames(
  camera: CameraConfig,
  source: SourceOf<'rtsp'>,
  context: CameraContext,
  life: SourceLife,
  ffmpegMajor: number,
): AsyncGenerator<RawFrame, void, void> {
  const url = new URL(source.url);
  const relay = await RtspRelay.open(url);
  const stream = streamOf(source, relay.addressOf(url), ffmpegMajor);
  // Stamps must count from where the stream does, not from the first picture.
  const counted = { ...stream, input: ['-copyts', ...stream.input] };
  try {
    for await (const frame of liveFrames(camera, counted, context, life)) {
      const wallMs = relay.clock.wallMs(frame.stampMs);
      const behindMs = wallMs === undefined ? NaN : frame.arrivedAtMs - wallMs;
      if (behindMs > -MOST_AHEAD_MS && behindMs < MOST_BEHIND_MS) {
        yield { ...frame, stampMs: wallMs!, stampSource: 'rtp' };
        continue;
      }
      frame.close();
      life.drop('invalid-stamp');
      if (!Number.isNaN(behindMs)) {
        life.note(`the camera's clock is ${Math.round(-behindMs)} ms off: it is not kept by NTP`);
      }
    }
  } finally {
    await relay.close();
  }
}
