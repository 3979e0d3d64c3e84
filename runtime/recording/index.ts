/**
 * Recordings: MCAP files that open in Foxglove.
 *
 *     const writer = await RecordingWriter.create('out.mcap', { rig, notes: { attribution } });
 *     await writer.writeFrame({
 *       cameraId: 'left', sequence: 0, stampMs: 12.5, stampSource: 'device', arrivedAtMs: 41.0,
 *       trueCapturedAtMs: 20.0, width: 640, height: 480, jpeg,
 *     });
 *     await writer.writeTruth(20.0, { people: [] });
 *     await writer.close();
 *
 *     for await (const entry of readRecording('out.mcap')) {
 *       if (entry.kind === 'frame') show(entry.frame.jpeg);
 *     }
 *
 * Frames of one camera are written in order of arrival. Times are milliseconds: `stampMs` on the
 * camera's clock, the others on the recorder's, which must not be negative.
 */
export { RecordingWriter } from './writer.js';
export { readRecording, type RecordingEntry } from './reader.js';
export { readArrivals, type RecordedTimes } from './arrivals.js';
export { readRecordingRig, readTruth, summarizeFrames, summarizeRecording } from './summary.js';
export type { RecordingSummary } from './summary.js';
export type { RecordedFrame } from './layout.js';
