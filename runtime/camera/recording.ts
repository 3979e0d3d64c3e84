import sharp from 'sharp';
import { ClmexError } from '../../core/errors.js';
import type { RawFrame } from '../../core/types.js';
import {
  readRecording, summarizeRecording, type RecordedFrame, type RecordingSummary,
} from '../recording/index.js'; // prettier-ignore
import { fieldOf, type CameraContext, type FrameSource, type SourceLife } from './camera.js';
import type { CameraConfig, SourceOf } from './config.js';
import { frameOf } from './frame.js';
import { sleepUntil } from './timeline.js';

/**
 * One camera of a recording, with its original stamps and its original times of arrival; paced
 * replay delivers each frame when it arrived, moved to the runtime's clock.
 * @throws ClmexError `not-found` where the file or the camera in it is missing, `invalid-file`
 */
export async function openRecording(
  camera: CameraConfig,
  source: SourceOf<'recording'>,
  context: CameraContext,
): Promise<FrameSource> {
  const field = `${fieldOf(camera, context)}.source`;
  const summary = await summarize(source.path, `${field}.path`);
  const cameraId = source.cameraId ?? camera.id;
  const recorded = summary.cameras.find(({ id }) => id === cameraId);
  if (recorded === undefined) {
    throw new ClmexError('not-found', 'the recording has no such camera', {
      field: `${field}.cameraId`,
      value: cameraId,
      allowed:
        summary.cameras.map(({ id }) => id).join(', ') || 'none: the recording has no frames',
    });
  }
  const periodMs =
    (recorded.lastArrivedAtMs - recorded.firstArrivedAtMs) / Math.max(1, recorded.frames - 1);
  const startMs = Math.min(...summary.cameras.map(({ firstArrivedAtMs }) => firstArrivedAtMs));
  const spanMs = summary.durationMs + periodMs;
  return new RecordedCamera(camera, source, context, { cameraId, startMs, spanMs });
}

async function summarize(path: string, field: string): Promise<RecordingSummary> {
  try {
    return await summarizeRecording(path);
  } catch (error) {
    if (!(error instanceof ClmexError)) throw error;
    throw new ClmexError(error.code, error.message, { field, cause: error });
  }
}

class RecordedCamera implements FrameSource {
  constructor(
    readonly camera: CameraConfig,
    readonly source: SourceOf<'recording'>,
    readonly context: CameraContext,
    readonly about: { cameraId: string; startMs: number; spanMs: number },
  ) {}

  async *run(life: SourceLife): AsyncGenerator<RawFrame, void, void> {
    const { clock, timeline } = this.context;
    const realtime = this.context.realtime ?? this.source.realtime;
    const offsetMs = realtime ? timeline.offsetMs(this.about.startMs) : 0;
    const spanMs = timeline.spanMs(this.about.spanMs);
    for (let round = 0; ; round++) {
      for await (const recorded of this.#round(life)) {
        const arrivedAtMs = recorded.arrivedAtMs + offsetMs + round * spanMs;
        if (realtime) await sleepUntil(clock, arrivedAtMs, life.signal);
        const frame = await this.#decode(recorded, life);
        if (frame === undefined) return;
        yield { ...frame, stampMs: recorded.stampMs + offsetMs + round * spanMs, arrivedAtMs };
      }
      if (!realtime || !this.source.loop || life.signal.aborted) return;
    }
  }

  async *#round(life: SourceLife): AsyncGenerator<RecordedFrame, void, void> {
    for await (const entry of readRecording(this.source.path, this.about)) {
      if (life.signal.aborted) return;
      if (entry.kind === 'frame') yield entry.frame;
      if (entry.kind === 'truncated') life.note(`the recording is cut off at byte ${entry.atByte}`);
    }
  }

  /** Undefined when aborted. */
  async #decode(recorded: RecordedFrame, life: SourceLife): Promise<RawFrame | undefined> {
    const { stampMs, stampSource, arrivedAtMs } = recorded;
    const { data, info } = await this.#pixels(recorded);
    const slot = await life.pool.take(info.width * info.height * 3, life.signal);
    if (slot === undefined) return undefined;
    slot.pixels.set(data);
    return frameOf(slot, {
      cameraId: this.camera.id, sequence: life.nextSequence(), stampMs, stampSource, arrivedAtMs,
      width: info.width, height: info.height,
    }); // prettier-ignore
  }

  async #pixels({ jpeg, sequence, cameraId }: RecordedFrame) {
    try {
      const upright = sharp(jpeg, { failOn: 'none' }).rotate(this.camera.rotate * 90);
      return await upright
        .toColourspace('srgb')
        .removeAlpha()
        .raw()
        .toBuffer({ resolveWithObject: true });
    } catch (cause) {
      throw new ClmexError(
        'invalid-file',
        `frame ${sequence} of camera '${cameraId}' is not a picture`,
        {
          field: `${fieldOf(this.camera, this.context)}.source.path`,
          value: this.source.path,
          cause,
        },
      );
    }
  }
}
