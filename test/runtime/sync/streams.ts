import type { RawFrame } from '../../../core/types.js';
import { runSync } from '../../../runtime/sync/measure.js';
import { rigOf } from '../../../runtime/sync/scenarios.js';
import {
  rawFrameOf,
  simulate,
  type SimulatedCamera,
  type SimulatedEvent,
} from '../../../runtime/sync/simulate.js';

/** Four cameras at 30 fps with whatever happens to them, by camera. */
export const rig = (
  events: Record<number, SimulatedEvent[]> = {},
  freeRunning = false,
): SimulatedCamera[] => rigOf({ count: 4, rateHz: 30, seed: 7, freeRunning, events });

/** The sets of simulated cameras, with the true capture time of every frame. */
export const run = (cameras: SimulatedCamera[], durationMs: number, config = {}) => {
  const frames = simulate(cameras, durationMs, 11);
  const ids = cameras.map(({ id }) => id);
  const truth = new Map(
    frames.map((frame) => [`${frame.cameraId} ${frame.sequence}`, frame.trueMs]),
  );
  const trueMs = ({ cameraId, sequence }: RawFrame) => truth.get(`${cameraId} ${sequence}`)!;
  return {
    ...runSync(
      frames.map((frame) => rawFrameOf(frame)),
      ids,
      config,
    ),
    trueMs,
    frames,
    ids,
  };
};

/** A stamp on the runtime's clock, so that a test scripts exact times. */
export const exact = (cameraId: string, sequence: number, ms: number, delayMs = 5): RawFrame => ({
  ...rawFrameOf({ cameraId, sequence, trueMs: ms, stampMs: ms, arrivedAtMs: ms + delayMs }),
  stampSource: 'file',
});
