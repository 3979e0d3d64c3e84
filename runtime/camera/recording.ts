import { ClmexError } from '../../core/errors.js';
import type { RawFrame } from '../../core/types.js';
import { summarizeRecording, type RecordingSummary } from '../recording/index.js';
import { fieldOf, type CameraContext, type FrameSource, type SourceLife } from './camera.js';
import type { CameraConfig, SourceOf } from './config.js';
import { frameOf } from './frame.js';
import {
  LocalPictures, type RecordedPicture, type RecordedPictures,
} from './recorded-pictures.js'; // prettier-ignore
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
    throw named(error, field);
  }
}

const named = (error: unknown, field: string): unknown =>
  error instanceof ClmexError ? error.of(field) : error;

/** A live replay that is later than this leaves frames out undecoded, as a camera would … */
const MOST_BEHIND_MS = 100;
/** … until it is on time again. */
const CAUGHT_UP_MS = 15;

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
    const crowded = realtime ? this.context.crowded : undefined;
    let behind = false;
    for (let round = 0; ; round++) {
      const pictures = await this.#open();
      try {
        for (;;) {
          const recorded = await this.#next(pictures, life);
          if (recorded === undefined || life.signal.aborted) break;
          const arrivedAtMs = recorded.arrivedAtMs + offsetMs + round * spanMs;
          if (realtime) await sleepUntil(clock, arrivedAtMs, life.signal);
          if (crowded !== undefined) {
            const lateMs = clock.nowMs() - arrivedAtMs;
            behind = lateMs > (behind ? CAUGHT_UP_MS : MOST_BEHIND_MS);
            if (behind || crowded()) {
              life.drop('backpressure');
              continue;
            }
          }
          const frame = await this.#decode(pictures, recorded, life);
          if (frame === undefined) return;
          yield { ...frame, stampMs: recorded.stampMs + offsetMs + round * spanMs, arrivedAtMs };
        }
      } catch (error) {
        throw named(error, `${fieldOf(this.camera, this.context)}.source.path`);
      } finally {
        await pictures.close();
      }
      if (!realtime || !this.source.loop || life.signal.aborted) return;
    }
  }

  async #open(): Promise<RecordedPictures> {
    const of = {
      path: this.source.path,
      cameraId: this.about.cameraId,
      turns: this.camera.rotate,
    };
    return (await this.context.pictures?.open(of)) ?? new LocalPictures(of);
  }

  async #next(pictures: RecordedPictures, life: SourceLife): Promise<RecordedPicture | undefined> {
    const next = await pictures.next();
    if (next === undefined || !('truncatedAtByte' in next)) return next;
    life.note(`the recording is cut off at byte ${next.truncatedAtByte}`);
    return undefined;
  }

  /** Undefined when aborted. */
  async #decode(
    pictures: RecordedPictures,
    { stampMs, stampSource, arrivedAtMs, width, height }: RecordedPicture,
    life: SourceLife,
  ): Promise<RawFrame | undefined> {
    const slot = await life.pool.take(width * height * 3, life.signal);
    if (slot === undefined) return undefined;
    try {
      await pictures.decode(slot.pixels);
    } catch (error) {
      slot.release();
      throw error;
    }
    return frameOf(slot, {
      cameraId: this.camera.id, sequence: life.nextSequence(), stampMs, stampSource, arrivedAtMs,
      width, height,
    }); // prettier-ignore
  }
}
