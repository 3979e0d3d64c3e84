import type { RawFrame } from '../../core/types.js';
import { leastDelayOf, type SyncConfig } from './config.js';
import { Lane } from './lane.js';

/** Maps frames to the runtime's clock one by one, without gathering sets. */
export class FrameTimer {
  readonly #config: SyncConfig;
  readonly #lanes = new Map<string, Lane>();

  constructor(config: SyncConfig) {
    this.#config = config;
  }

  /** The frame's capture time as far as it is known on its arrival; the frame stays the caller's. */
  push(frame: RawFrame): { capturedAtMs: number; uncertaintyMs: number } | undefined {
    const { cameraId } = frame;
    let lane = this.#lanes.get(cameraId);
    if (lane === undefined) {
      lane = new Lane(cameraId, leastDelayOf(this.#config, cameraId));
      this.#lanes.set(cameraId, lane);
    }
    lane.push({ ...frame, close: () => undefined }, -Infinity, Infinity);
    const held = lane.held.pop();
    if (held === undefined) return undefined;
    return {
      capturedAtMs: held.capturedMs,
      uncertaintyMs: lane.uncertaintyMs(frame.stampMs),
    };
  }
}
