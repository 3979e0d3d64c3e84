import { boxOverlap } from './detection.js';
import { SearchMemory } from './finder.js';
import { boundsOf, turnBetween, type Region } from './region.js';

/** One face followed through one camera's frames. */
export interface Track {
  readonly id: string;
  region: Region;
  /** Looks of the detector in a row that saw no face there. */
  unseen: number;
}

/** Frames between two looks of the detector at a camera where no face is missing. */
const LOOK_EVERY = 15;
/** Cameras whose looks do not meet. */
const LOOKS_APART = 4;
/** Frames for which a lost face is looked for. */
const SEARCH_FRAMES = 30;
/**
 * Between two such looks pass so many milliseconds, or frames: a look costs as much as following two
 * faces, and several cameras may search at a time.
 */
const SEARCH_GAP = { ms: 60, frames: 3 };
/** After so many looks in vain, an empty camera is looked at in every third frame only. */
const PATIENCE = 30;
/** Frames that pass at most between two tries of seeds: a face that is hidden stays hidden. */
const LONGEST_SEED_WAIT = 3;
/** Looks in a row without the detector's consent that end a track. */
const MOST_UNSEEN = 3;

/** What the faces stage remembers of one camera. */
export class CameraTracks {
  readonly cameraId: string;
  readonly tracks: Track[] = [];
  /** Places where another camera says there is a face. */
  readonly seeds: Region[] = [];
  readonly memory = new SearchMemory();
  readonly #lookEvery: number;
  #sinceLook = Infinity;
  #lookedAtMs = -Infinity;
  #sinceLoss = Infinity;
  #idleLooks = 0;
  #seedWait = 0;
  #sinceSeed = 0;
  #made = 0;

  /** @param place of the camera among the others: their looks fall on different frame sets. */
  constructor(cameraId: string, place = 0) {
    this.cameraId = cameraId;
    this.#lookEvery = LOOK_EVERY + (place % LOOKS_APART);
  }

  start(region: Region): Track {
    const track = { id: `${this.cameraId}/${++this.#made}`, region, unseen: 0 };
    this.tracks.push(track);
    return track;
  }

  end(track: Track): void {
    const at = this.tracks.indexOf(track);
    if (at >= 0) this.tracks.splice(at, 1);
    this.#sinceLoss = 0;
  }

  /** The seeds to try in this frame; call once a frame. After each try in vain they rest longer. */
  takeSeeds(): Region[] {
    const seeds = this.seeds.splice(0);
    this.#sinceSeed++;
    if (seeds.length === 0 || this.#sinceSeed <= this.#seedWait) return [];
    this.#sinceSeed = 0;
    return seeds;
  }

  /** What came of a seed that was tried. */
  seeded(found: boolean): void {
    this.#seedWait = found ? 0 : Math.min(LONGEST_SEED_WAIT, 2 * this.#seedWait + 1);
  }

  /**
   * Whether the detector should look at this frame; call once a frame.
   * @param atMs the frame's capture time.
   */
  wantsLook(atMs: number): boolean {
    this.#sinceLook++;
    this.#sinceLoss++;
    const rested = atMs - this.#lookedAtMs >= SEARCH_GAP.ms || this.#sinceLook >= SEARCH_GAP.frames;
    const searches = this.#sinceLoss <= SEARCH_FRAMES && rested;
    if (searches || this.#sinceLook >= this.#lookEvery) return true;
    return this.tracks.length === 0 && (this.#idleLooks < PATIENCE || this.#sinceLook >= 3);
  }

  /** Takes note of what a look saw, and ends tracks the detector does not see time and again. */
  looked(seen: readonly Region[], atMs: number): void {
    this.#sinceLook = 0;
    this.#lookedAtMs = atMs;
    this.#idleLooks = seen.length > 0 ? 0 : this.#idleLooks + 1;
    for (const track of [...this.tracks]) {
      track.unseen = seen.some((region) => sameFace(region, track.region)) ? 0 : track.unseen + 1;
      if (track.unseen >= MOST_UNSEEN) this.end(track);
    }
  }

  /** Whether a region shows a face that is followed already. */
  knows(region: Region): boolean {
    return this.tracks.some((track) => sameFace(track.region, region));
  }
}

const SAME = 0.25;

/** Whether two landmark regions show the same face. */
export function sameFace(a: Region, b: Region): boolean {
  return boxOverlap(boundsOf(a), boundsOf(b)) > SAME;
}

const SIZE_BAND = 0.06;
const TURN_BAND = (3 * Math.PI) / 180;

/**
 * Steadies the region without lag: it always follows the face's place at once, and keeps its size
 * and turn as long as they change no more than the landmarks' own noise does.
 */
export function steady(last: Region, next: Region): Region {
  const ratio = next.width / last.width;
  const side = ratio > 1 - SIZE_BAND && ratio < 1 + SIZE_BAND ? last.width : next.width;
  const steadied = turnBetween(next.rotation, last.rotation) < TURN_BAND;
  const rotation = steadied ? last.rotation : next.rotation;
  return { x: next.x, y: next.y, width: side, height: side, rotation };
}
