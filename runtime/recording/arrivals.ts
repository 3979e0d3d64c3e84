import type { RecordedFrame } from './layout.js';
import { readRecording } from './reader.js';

/** A recorded frame without its picture. */
export type RecordedTimes = Omit<RecordedFrame, 'jpeg'>;

/**
 * The times of all frames in order of arrival, ties by camera. The recorder may write cameras a
 * little out of order: this is the order in which they came.
 * @throws ClmexError `not-found`, `invalid-file`
 */
export async function readArrivals(path: string): Promise<RecordedTimes[]> {
  const frames: RecordedTimes[] = [];
  for await (const entry of readRecording(path)) {
    if (entry.kind !== 'frame') continue;
    frames.push({ ...entry.frame, jpeg: undefined } as RecordedTimes);
  }
  return frames.sort(
    (a, b) =>
      a.arrivedAtMs - b.arrivedAtMs ||
      (a.cameraId < b.cameraId ? -1 : Number(a.cameraId > b.cameraId)),
  );
}
