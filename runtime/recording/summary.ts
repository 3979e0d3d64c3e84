import type { RigCalibration } from '../../calibration/index.js';
import { ClmexError } from '../../core/errors.js';
import { readRecording } from './reader.js';

interface RecordedCamera {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  readonly firstArrivedAtMs: number;
  readonly lastArrivedAtMs: number;
}

export interface RecordingSummary {
  readonly cameras: readonly RecordedCamera[];
  readonly rig: RigCalibration | undefined;
  readonly notes: Readonly<Record<string, string>>;
  readonly truths: number;
  /** First to last arrival over all cameras. */
  readonly durationMs: number;
  /** The file ends before its footer: the recorder was killed, or the copy was cut. */
  readonly truncated: boolean;
}

/**
 * Reads a whole recording once, pictures undecoded, and says what it holds.
 * @throws ClmexError `not-found`, `invalid-file`
 */
export async function summarizeRecording(path: string): Promise<RecordingSummary> {
  const cameras = new Map<string, RecordedCamera>();
  let rig: RigCalibration | undefined;
  let notes: Readonly<Record<string, string>> = {};
  let truths = 0;
  let truncated = false;
  for await (const entry of readRecording(path)) {
    if (entry.kind === 'rig') rig = entry.rig;
    else if (entry.kind === 'notes') notes = entry.notes;
    else if (entry.kind === 'truth') truths++;
    else if (entry.kind === 'truncated') truncated = true;
    else {
      const { cameraId, width, height, arrivedAtMs } = entry.frame;
      const before = cameras.get(cameraId);
      cameras.set(cameraId, {
        id: cameraId,
        width,
        height,
        frames: (before?.frames ?? 0) + 1,
        firstArrivedAtMs: Math.min(before?.firstArrivedAtMs ?? Infinity, arrivedAtMs),
        lastArrivedAtMs: Math.max(before?.lastArrivedAtMs ?? -Infinity, arrivedAtMs),
      });
    }
  }
  const list = [...cameras.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const first = Math.min(...list.map((camera) => camera.firstArrivedAtMs));
  const last = Math.max(...list.map((camera) => camera.lastArrivedAtMs));
  const durationMs = list.length > 0 ? last - first : 0;
  return { cameras: list, rig, notes, truths, durationMs, truncated };
}

/**
 * The summary of a recording that something is to be made of.
 * @throws ClmexError `not-found`, `invalid-file`, also for one that holds no frame
 */
export async function summarizeFrames(path: string): Promise<RecordingSummary> {
  const summary = await summarizeRecording(path);
  if (summary.cameras.length > 0) return summary;
  throw new ClmexError('invalid-file', 'the recording holds no frame', {
    field: 'recording',
    value: path,
  });
}

/** The calibration inside a recording, read from its beginning; undefined where it has none. */
export async function readRecordingRig(path: string): Promise<RigCalibration | undefined> {
  for await (const entry of readRecording(path)) {
    if (entry.kind === 'rig') return entry.rig;
    if (entry.kind === 'frame') return undefined;
  }
  return undefined;
}

/** The ground truth inside a recording, by time. @throws ClmexError `not-found`, `invalid-file` */
export async function readTruth(path: string): Promise<{ atMs: number; value: unknown }[]> {
  const truth: { atMs: number; value: unknown }[] = [];
  for await (const entry of readRecording(path, { cameraId: '' })) {
    if (entry.kind === 'truth') truth.push({ atMs: entry.atMs, value: entry.value });
    if (truth.length > 1_000_000) {
      throw new ClmexError('limit-exceeded', 'too many truth messages', { value: path });
    }
  }
  return truth.sort((a, b) => a.atMs - b.atMs);
}
