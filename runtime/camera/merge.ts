import type { RawFrame } from '../../core/types.js';
import type { VirtualClock } from '../clock.js';
import type { Camera } from './camera.js';

export type MergedEvent =
  | { readonly kind: 'frame'; readonly frame: RawFrame }
  | { readonly kind: 'ended'; readonly cameraId: string }
  /** The camera is gone for good; the others go on. */
  | { readonly kind: 'failed'; readonly cameraId: string; readonly error: unknown };

interface Lane {
  readonly camera: Camera;
  readonly frames: AsyncGenerator<RawFrame, void, void>;
  next: Promise<Head>;
}

type Head = { readonly frame: RawFrame | undefined } | { readonly error: unknown };

/**
 * The frames of several offline cameras in order of arrival, ties by the cameras' order, with the
 * clock moved to each arrival: the same files give the same sequence whatever the machine does.
 * While the consumer works on a frame, the next one of each camera is already being decoded.
 */
export async function* mergeCameras(
  cameras: readonly Camera[],
  clock: VirtualClock,
): AsyncGenerator<MergedEvent, void, void> {
  const lanes = cameras.map((camera): Lane => {
    const frames = camera.frames();
    return { camera, frames, next: head(frames) };
  });
  try {
    while (lanes.length > 0) {
      const heads = await Promise.all(lanes.map(({ next }) => next));
      const at = earliest(heads);
      const lane = lanes[at]!;
      const first = heads[at]!;
      const cameraId = lane.camera.id;
      if ('error' in first || first.frame === undefined) {
        lanes.splice(at, 1);
        if ('error' in first) yield { kind: 'failed', cameraId, error: first.error };
        else yield { kind: 'ended', cameraId };
        continue;
      }
      clock.advanceTo(first.frame.arrivedAtMs);
      lane.next = head(lane.frames);
      yield { kind: 'frame', frame: first.frame };
    }
  } finally {
    await Promise.all(lanes.map(abandon));
  }
}

async function head(frames: AsyncGenerator<RawFrame, void, void>): Promise<Head> {
  try {
    const { value } = await frames.next();
    return { frame: value ?? undefined };
  } catch (error) {
    return { error };
  }
}

/** A camera that has ended or failed comes first, so that nobody waits for it. */
function earliest(heads: readonly Head[]): number {
  let best = 0;
  let bestMs = Infinity;
  for (const [index, head] of heads.entries()) {
    if ('error' in head || head.frame === undefined) return index;
    if (head.frame.arrivedAtMs < bestMs) {
      best = index;
      bestMs = head.frame.arrivedAtMs;
    }
  }
  return best;
}

async function abandon({ camera, next }: Lane): Promise<void> {
  await camera.close();
  const left = await next;
  if ('frame' in left) left.frame?.close();
}
