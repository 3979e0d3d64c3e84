import type { SimulatedFrame } from './simulate.js';

/** Frames grouped into a set by whatever rule; at most one a camera. */
export type Match = readonly SimulatedFrame[];

type Time = (frame: SimulatedFrame) => number;

/**
 * The usual approach: each frame of the first camera with the nearest frame of every other, no
 * further than half a period; complete sets only. It sees all frames before it decides, which no
 * live matcher can.
 */
export function nearestMatches(
  frames: readonly SimulatedFrame[],
  cameraIds: readonly string[],
  periodMs: number,
  time: Time,
): Match[] {
  const byCamera = sortedByCamera(frames, cameraIds, time);
  const [reference, ...others] = byCamera;
  const cursors = others.map(() => 0);
  const matches: Match[] = [];
  for (const frame of reference!) {
    const match = [frame];
    for (const [i, list] of others.entries()) {
      const distance = (at: number): number => Math.abs(time(list[at]!) - time(frame));
      let at = cursors[i]!;
      while (at + 1 < list.length && distance(at + 1) <= distance(at)) at++;
      cursors[i] = at;
      if (at < list.length && distance(at) <= periodMs / 2) match.push(list[at]!);
    }
    if (match.length === cameraIds.length) matches.push(match);
  }
  return matches;
}

/** Frames whose stamps agree to the millisecond. */
export function exactMatches(
  frames: readonly SimulatedFrame[],
  cameraIds: readonly string[],
): Match[] {
  const byStamp = new Map<number, SimulatedFrame[]>();
  for (const frame of frames) {
    const key = Math.round(frame.stampMs);
    const match = byStamp.get(key) ?? [];
    if (!match.some(({ cameraId }) => cameraId === frame.cameraId)) match.push(frame);
    byStamp.set(key, match);
  }
  return [...byStamp.values()].filter(({ length }) => length === cameraIds.length);
}

/**
 * The most complete sets that anybody who knows the true capture times can make, at no rate: the
 * earliest frames of all cameras are a set when they lie within `spreadMs`, else the earliest of them
 * is in none. Every lost frame moves the border between the sets behind it.
 */
export function anyMatches(
  frames: readonly SimulatedFrame[],
  cameraIds: readonly string[],
  spreadMs: number,
): Match[] {
  const lists = sortedByCamera(frames, cameraIds, ({ trueMs }) => trueMs);
  const cursors = lists.map(() => 0);
  const matches: Match[] = [];
  while (lists.every((list, i) => cursors[i]! < list.length)) {
    const heads = lists.map((list, i) => list[cursors[i]!]!);
    const times = heads.map(({ trueMs }) => trueMs);
    const earliest = Math.min(...times);
    if (Math.max(...times) - earliest <= spreadMs) {
      matches.push(heads);
      for (const i of cursors.keys()) cursors[i]!++;
    } else cursors[times.indexOf(earliest)]!++;
  }
  return matches;
}

function sortedByCamera(
  frames: readonly SimulatedFrame[],
  cameraIds: readonly string[],
  time: Time,
): SimulatedFrame[][] {
  return cameraIds.map((id) =>
    frames.filter(({ cameraId }) => cameraId === id).sort((a, b) => time(a) - time(b)),
  );
}
