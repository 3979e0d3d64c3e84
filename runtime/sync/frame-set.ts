import type { Frame, FrameSet, MissingReason } from '../../core/types.js';

/** A frame set that owns its frames: closing it closes them. */
export function frameSet(
  index: number,
  atMs: number,
  frames: ReadonlyMap<string, Frame>,
  missing: ReadonlyMap<string, MissingReason>,
): FrameSet {
  let first = Infinity;
  let last = -Infinity;
  for (const { capturedAtMs } of frames.values()) {
    first = Math.min(first, capturedAtMs);
    last = Math.max(last, capturedAtMs);
  }
  return {
    index,
    atMs,
    frames,
    missing,
    spreadMs: last - first,
    close: () => {
      for (const frame of frames.values()) frame.close();
    },
  };
}
