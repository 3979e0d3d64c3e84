import type { Match } from './baselines.js';
import type { SimulatedFrame } from './simulate.js';

/** Places of the ticks that are tried, a period. */
const PLACES = 128;
/** Ticks that stay in place before they may move to the next one: 500 ppm, more than crystals differ. */
const STEADY = 16;
/** Blocks of such ticks after which they may jump to any place, losing the time to there. */
const ANEW = 32;

/**
 * The best offline matcher: it knows the true capture time of every frame, those to come included,
 * and finds by dynamic programming where to place ticks at the cameras' rate, and how to let them
 * drift by up to 500 ppm and jump every 512 ticks, so that most sets are complete. Each camera gives its frame nearest to the
 * tick, within half a period: no frame is in a wrong set, and no choice of ticks does better.
 */
export function bestMatches(
  frames: readonly SimulatedFrame[],
  cameraIds: readonly string[],
  periodMs: number,
): Match[] {
  const lists = cameraIds.map((id) =>
    frames.filter(({ cameraId }) => cameraId === id).sort((a, b) => a.trueMs - b.trueMs),
  );
  const firstMs = frames.reduce((ms, { trueMs }) => Math.min(ms, trueMs), Infinity);
  const lastMs = frames.reduce((ms, { trueMs }) => Math.max(ms, trueMs), -Infinity);
  const blocks = Math.ceil((lastMs - firstMs) / periodMs / STEADY) + 1;
  const stepMs = periodMs / PLACES;
  // Places are counted from here: room for ticks that drift back all the time, or on, and jump.
  const startMs = firstMs - periodMs - blocks * stepMs;
  const range = PLACES + 2 * blocks + Math.ceil(blocks / ANEW) * PLACES;
  const whole = windowsWithAll(lists, (blocks + 1) * STEADY * PLACES + range, startMs, periodMs);
  const moves = bestMoves(whole, blocks, range);
  const matches: Match[] = [];
  let place = moves.start;
  for (let block = 0; block < blocks; block++) {
    for (let i = 0; i < STEADY; i++) {
      const at = (block * STEADY + i) * PLACES + place;
      if (whole[at] === 0) continue;
      const match = lists.map((list) => nearestTo(list, startMs + at * stepMs + periodMs / 2));
      // Ticks that moved nearer to each other may both reach a frame.
      const before = matches.at(-1);
      if (!match.some((frame, camera) => frame === before?.[camera])) matches.push(match);
    }
    place += moves.after[block * range + place]!;
  }
  return matches;
}

/** Where the ticks begin, and by how many places to move them after each block of ticks. */
function bestMoves(whole: Uint8Array, blocks: number, range: number) {
  const after = new Int8Array(blocks * range);
  // Beyond the borders there is nothing to win. Entry p + 1 stands for place p.
  const width = 1 + range + PLACES;
  let later = new Int32Array(width);
  for (let block = blocks - 1; block >= 0; block--) {
    const most = new Int32Array(width);
    const furthest = block % ANEW === ANEW - 1 ? PLACES - 1 : 1;
    for (let place = 0; place < range; place++) {
      let move = 0;
      for (let by = -1; by <= furthest; by++) {
        if (later[place + 1 + by]! > later[place + 1 + move]!) move = by;
      }
      after[block * range + place] = move;
      let complete = 0;
      for (let i = 0; i < STEADY; i++) complete += whole[(block * STEADY + i) * PLACES + place]!;
      most[place + 1] = complete + later[place + 1 + move]!;
    }
    later = most;
  }
  let start = 0;
  for (let place = 1; place < range; place++) {
    if (later[place + 1]! > later[start + 1]!) start = place;
  }
  return { start, after };
}

/** 1 for every window of one period, by the place where it begins, in which all cameras have a frame. */
function windowsWithAll(
  lists: readonly (readonly SimulatedFrame[])[],
  length: number,
  startMs: number,
  periodMs: number,
): Uint8Array {
  const whole = new Uint8Array(length).fill(1);
  for (const list of lists) {
    let at = 0;
    for (let place = 0; place < length; place++) {
      const beginMs = startMs + (place * periodMs) / PLACES;
      while (at < list.length && list[at]!.trueMs < beginMs) at++;
      if (at === list.length || list[at]!.trueMs >= beginMs + periodMs) whole[place] = 0;
    }
  }
  return whole;
}

function nearestTo(list: readonly SimulatedFrame[], ms: number): SimulatedFrame {
  let [low, high] = [0, list.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle]!.trueMs < ms) low = middle + 1;
    else high = middle;
  }
  const [after, before] = [list[low]!, list[low - 1]];
  return before !== undefined && ms - before.trueMs < after.trueMs - ms ? before : after;
}
