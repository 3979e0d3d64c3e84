import { z } from 'zod';
import type { StampSource } from '../../core/types.js';

/** Names inside a recording. Readers find a channel's camera in its metadata, not in the topic. */
export const TRUTH_TOPIC = '/truth';
export const imageTopic = (cameraId: string): string => `/cameras/${cameraId}/image`;
export const timesTopic = (cameraId: string): string => `/cameras/${cameraId}/times`;
export const calibrationTopic = (cameraId: string): string => `/cameras/${cameraId}/calibration`;
export const CAMERA_KEY = 'camera';
export const NOTES_RECORD = 'clmex.notes';
export const RIG_RECORD = 'clmex.rig';
export const IMAGE_SCHEMA = 'foxglove.CompressedImage';
export const TIMES_SCHEMA = 'clmex.FrameTimes';

/** One picture of a recording with everything known about its time. */
export interface RecordedFrame {
  readonly cameraId: string;
  readonly sequence: number;
  /** Capture time on the source's own clock. */
  readonly stampMs: number;
  readonly stampSource: StampSource;
  /** When it reached the recorder, on the recorder's clock; not negative. */
  readonly arrivedAtMs: number;
  /** Capture time as mapped to the recorder's clock while recording. */
  readonly capturedAtMs?: number | undefined;
  readonly uncertaintyMs?: number | undefined;
  /** True capture time on the recorder's clock, where it is known (rendered scenes). */
  readonly trueCapturedAtMs?: number | undefined;
  readonly width: number;
  readonly height: number;
  readonly jpeg: Uint8Array;
}

const time = z.number();

/** What is kept of a frame's times beside its picture; JSON keeps doubles exactly. */
export const frameTimes = z.object({
  sequence: z.int().nonnegative(),
  stampMs: time,
  stampSource: z.enum(['device', 'driver', 'rtp', 'file', 'arrival']),
  arrivedAtMs: time.nonnegative(),
  capturedAtMs: time.optional(),
  uncertaintyMs: time.optional(),
  trueCapturedAtMs: time.optional(),
  width: z.int().min(1).max(16_384),
  height: z.int().min(1).max(16_384),
});

export const nanoseconds = (ms: number): bigint => BigInt(Math.round(ms * 1e6));
