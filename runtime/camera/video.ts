import { access } from 'node:fs/promises';
import { ClmexError } from '../../core/errors.js';
import type { RawFrame } from '../../core/types.js';
import { fieldOf, type CameraContext, type FrameSource, type SourceLife } from './camera.js';
import type { CameraConfig, SourceOf } from './config.js';
import { announcedFrames, decode, ffmpegVersion } from './ffmpeg.js';
import { frameOf } from './frame.js';
import { sleepUntil } from './timeline.js';
import { checkRows, readTimestamps } from './timestamps.js';

/**
 * A video file. With `timestamps` a frame's stamp is its row, else its presentation time from the
 * file's first frame. Paced replay moves the stamps to the runtime's clock; offline runs keep them.
 * @throws ClmexError `not-found`, `invalid-file`
 */
export async function openVideo(
  camera: CameraConfig,
  source: SourceOf<'video'>,
  context: CameraContext,
): Promise<FrameSource> {
  const field = `${fieldOf(camera, context)}.source`;
  await ffmpegVersion();
  try {
    await access(source.path);
  } catch (cause) {
    throw new ClmexError('not-found', 'cannot read the video', {
      field: `${field}.path`,
      value: source.path,
      cause,
    });
  }
  let rows: Float64Array | undefined;
  if (source.timestamps !== undefined) {
    rows = await readTimestamps(source.timestamps, `${field}.timestamps`);
    const announced = await announcedFrames(source.path);
    if (announced !== undefined) {
      checkRows(source.timestamps, rows.length, announced, `${field}.timestamps`);
    }
  }
  return new VideoFile(camera, source, context, rows);
}

class VideoFile implements FrameSource {
  constructor(
    readonly camera: CameraConfig,
    readonly source: SourceOf<'video'>,
    readonly context: CameraContext,
    readonly rows: Float64Array | undefined,
  ) {}

  async *run(life: SourceLife): AsyncGenerator<RawFrame, void, void> {
    const realtime = this.context.realtime ?? this.source.realtime;
    let shiftMs: number | undefined;
    do {
      let [firstMs, lastMs, frames] = [0, 0, 0];
      for await (const frame of this.#round(life)) {
        if (realtime) shiftMs ??= this.context.timeline.offsetMs(frame.stampMs);
        if (frames === 0) firstMs = frame.stampMs;
        lastMs = Math.max(lastMs, frame.stampMs);
        frames++;
        const stampMs = frame.stampMs + (shiftMs ?? 0);
        if (!realtime) {
          yield { ...frame, arrivedAtMs: Math.max(lastMs, stampMs) };
          continue;
        }
        await sleepUntil(this.context.clock, stampMs, life.signal);
        if (!life.signal.aborted) {
          yield { ...frame, stampMs, arrivedAtMs: this.context.clock.nowMs() };
        } else frame.close();
      }
      const periodMs = (lastMs - firstMs) / Math.max(1, frames - 1);
      shiftMs = (shiftMs ?? 0) + this.context.timeline.spanMs(lastMs - firstMs + periodMs);
    } while (realtime && this.source.loop && !life.signal.aborted);
  }

  /** The file once, on its own clock. */
  async *#round(life: SourceLife): AsyncGenerator<RawFrame, void, void> {
    const { path, timestamps, size, hwaccel } = this.source;
    const input = [...(hwaccel === undefined ? [] : ['-hwaccel', hwaccel]), '-i', `file:${path}`];
    const { signal, pool } = life;
    const room = (bytes: number) => pool.take(bytes, signal);
    let [index, startMs] = [0, NaN];
    for await (const decoded of decode({ input, size, rotate: this.camera.rotate, signal, room })) {
      const { slot, width, height, ptsMs } = decoded;
      if (slot === undefined) continue;
      const row = this.rows?.[index];
      index++;
      if (Number.isNaN(startMs)) startMs = ptsMs;
      const stampMs = this.rows === undefined ? ptsMs - startMs : row;
      if (stampMs === undefined || Number.isNaN(stampMs)) {
        slot.release();
        life.drop('invalid-stamp');
        continue;
      }
      const { id: cameraId } = this.camera;
      yield frameOf(slot, {
        cameraId, sequence: life.nextSequence(), stampMs, stampSource: 'file', arrivedAtMs: stampMs,
        width, height,
      }); // prettier-ignore
    }
    if (signal.aborted) return;
    if (index === 0) {
      throw new ClmexError('invalid-file', 'the video has no frames', {
        field: `${fieldOf(this.camera, this.context)}.source.path`,
        value: path,
      });
    }
    if (this.rows === undefined) return;
    checkRows(
      timestamps!,
      this.rows.length,
      index,
      `${fieldOf(this.camera, this.context)}.source.timestamps`,
    );
  }
}
