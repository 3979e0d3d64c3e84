import type { RawFrame, StampSource } from '../../core/types.js';
import type { CameraContext, SourceLife } from './camera.js';
import type { CameraConfig } from './config.js';
import { decode, type Decoding } from './ffmpeg.js';
import { frameOf } from './frame.js';

/** Streams without stamps of their own: FFmpeg counts frames for them. */
const STAMPLESS = new Set(['mpjpeg', 'mjpeg', 'image2pipe', 'jpeg_pipe', 'h264', 'hevc']);

export interface LiveStream {
  readonly input: readonly string[];
  readonly size: Decoding['size'];
  readonly stampSource: StampSource;
}

/**
 * Frames of a live stream through FFmpeg. A frame for which there is no buffer is dropped rather
 * than let the stream pile up. Where the stream has no stamps, a frame's arrival is its stamp.
 */
export async function* liveFrames(
  camera: CameraConfig,
  stream: LiveStream,
  context: CameraContext,
  life: SourceLife,
): AsyncGenerator<RawFrame, void, void> {
  const { input, size } = stream;
  const { signal, pool } = life;
  let arrivedAtMs = 0;
  const room = (bytes: number) => {
    arrivedAtMs = context.clock.nowMs();
    return Promise.resolve(pool.tryTake(bytes));
  };
  for await (const decoded of decode({ input, size, rotate: camera.rotate, signal, room })) {
    const { slot, width, height, ptsMs, container } = decoded;
    if (slot === undefined) {
      life.drop('no-buffer');
      continue;
    }
    const stamped = !STAMPLESS.has(container);
    if (stamped && Number.isNaN(ptsMs)) {
      slot.release();
      life.drop('invalid-stamp');
      continue;
    }
    yield frameOf(slot, {
      cameraId: camera.id,
      sequence: life.nextSequence(),
      stampMs: stamped ? ptsMs : arrivedAtMs,
      stampSource: stamped ? stream.stampSource : 'arrival',
      arrivedAtMs,
      width,
      height,
    });
  }
}
