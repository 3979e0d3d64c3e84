import type { Held, Lane } from './lane.js';

/** How well the clocks of two cameras agree. */
const MARGIN_MS = 0.5;

/**
 * Leaves out of a set, or exchanges, the frames that would make a wrong pair: two frames further apart
 * than half a period though one of their cameras has another frame that is nearer, as far as can be
 * known, both to the other camera's and to the set's instant.
 */
export function withoutWrongPairs(
  nearest: ReadonlyMap<Lane, Held>,
  atMs: number,
  periodMs: number,
): Map<Lane, Held> {
  const chosen = new Map(nearest);
  const conflictsOf = (lane: Lane, held: Held): number => {
    const { capturedMs } = held;
    const rivals = lane
      .neighboursOf(held)
      .filter((ms) => mayBeNearer(ms, capturedMs, atMs, lane.lateMs));
    let conflicts = 0;
    if (rivals.length === 0) return 0;
    for (const [other, { capturedMs: ms }] of chosen) {
      const apart = Math.abs(ms - capturedMs) + MARGIN_MS;
      if (other === lane || apart <= periodMs / 2) continue;
      if (rivals.some((rival) => Math.abs(rival - ms) < apart)) conflicts++;
    }
    return conflicts;
  };
  const contested = [...nearest]
    .filter(([lane, { capturedMs }]) => Math.abs(capturedMs - atMs) > periodMs / 4 - lane.lateMs)
    .map(([lane, held]) => ({ lane, held, conflicts: conflictsOf(lane, held) }))
    .filter(({ conflicts }) => conflicts > 0)
    .sort((a, b) => b.conflicts - a.conflicts);
  for (const { lane, held } of contested) {
    const free = lane.held
      .filter((other) => other === held || mayBeNearer(other.capturedMs, held.capturedMs, atMs, lane.lateMs))
      .find((other) => conflictsOf(lane, other) === 0); // prettier-ignore
    if (free === undefined) chosen.delete(lane);
    else chosen.set(lane, free);
  }
  return chosen;
}

/** Whether a frame's capture may lie nearer to `atMs` than another one's of the same camera. */
function mayBeNearer(ms: number, thanMs: number, atMs: number, lateMs: number): boolean {
  const nearer = (late: number): boolean =>
    Math.abs(ms - late - atMs) < Math.abs(thanMs - late - atMs);
  return nearer(0) || nearer(lateMs);
}
