import type { Region } from './region.js';
import { boxOverlap } from './detection.js';
import { boundsOf } from './region.js';

/** One face followed through one camera's frames. */
export interface Track {
  readonly id: string;
  region: Region;
  /** Frames in a row that showed it. */
  age: number;
}

/** What the faces stage remembers of one camera. */
export class CameraTracks {
  readonly cameraId: string;
  readonly tracks: Track[] = [];
  /** Places another camera says there is a face. */
  readonly seeds: Region[] = [];
  /** Frames since a detector last looked. */
  sinceLook = Infinity;
  /** Looks in a row that found nothing new. */
  idleLooks = 0;
  #made = 0;

  constructor(cameraId: string) {
    this.cameraId = cameraId;
  }

  start(region: Region): Track {
    const track = { id: `${this.cameraId}/${++this.#made}`, region, age: 0 };
    this.tracks.push(track);
    return track;
  }

  end(track: Track): void {
    const at = this.tracks.indexOf(track);
    if (at >= 0) this.tracks.splice(at, 1);
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
  const turn = Math.abs(Math.atan2(Math.sin(next.rotation - last.rotation), Math.cos(next.rotation - last.rotation))); // prettier-ignore
  const side = ratio > 1 - SIZE_BAND && ratio < 1 + SIZE_BAND ? last.width : next.width;
  const rotation = turn < TURN_BAND ? last.rotation : next.rotation;
  return { x: next.x, y: next.y, width: side, height: side, rotation };
}
