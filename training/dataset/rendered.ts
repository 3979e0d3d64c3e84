import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClmexError } from '../../core/errors.js';
import type { ExpressionLabel } from '../../core/types.js';
import { renderedSets } from './rendered-folder.js';
import {
  CROP_BYTES,
  LANDMARK_FLOATS,
  parseShard,
  SHARD_INDEX,
  VIEW_BYTES,
  type Shard,
  type Split,
} from './shard.js';

/** One face as the landmark model and the crop measured it in one rendered picture. */
interface RenderedView {
  /** Head pose in the picture as measured, degrees; signs as in core's HeadPose. */
  readonly yawDeg: number;
  readonly pitchDeg: number;
  readonly rollDeg: number;
  /** Yaw the scene was rendered with, degrees. */
  readonly trueYawDeg: number;
  /** 0–1. */
  readonly quality: number;
  /** 64 × 64 grey, row-major; a view onto the set's memory. */
  readonly crop: Uint8Array;
  /** 468 × 3 floats in pixels of the rendered picture; a view onto the set's memory. */
  readonly landmarks: Float32Array;
}

/** One moment of one person: what is known of it, without the pictures. */
export interface RenderedCapture {
  readonly personId: string;
  readonly split: Split;
  readonly label: ExpressionLabel;
  /** 0–1; 0 for neutral. */
  readonly strength: number;
  /** Weights of the 57 expression shapes, in the order of {@link RenderedSet.shapeNames}. */
  readonly shapes: readonly number[];
}

export interface RenderedGroup extends RenderedCapture {
  readonly views: readonly RenderedView[];
}

/** A rendered training set, wholly in memory (about 10 kB a view). */
export class RenderedSet {
  readonly shapeNames: readonly string[];
  readonly #shards: readonly LoadedShard[];
  readonly #where: readonly (readonly [shard: number, capture: number, firstView: number])[];

  constructor(shards: readonly LoadedShard[]) {
    this.#shards = shards;
    this.shapeNames = shards[0]?.shard.shapeNames ?? [];
    const where: [number, number, number][] = [];
    shards.forEach(({ shard }, s) => {
      let view = 0;
      shard.captures.forEach((capture, c) => {
        if (capture.views.length > 0) where.push([s, c, view]);
        view += capture.views.length;
      });
    });
    this.#where = where;
  }

  /** How many groups there are; each has at least one view. */
  get groups(): number {
    return this.#where.length;
  }

  /** Ids of the people of a split, or of all, sorted. */
  people(split?: Split): string[] {
    const ids = new Set<string>();
    for (let i = 0; i < this.groups; i++) {
      const capture = this.capture(i);
      if (split === undefined || capture.split === split) ids.add(capture.personId);
    }
    return [...ids].sort();
  }

  /** Indices of the groups of a split. */
  indices(split: Split): number[] {
    return this.#where.flatMap((_, i) => (this.capture(i).split === split ? [i] : []));
  }

  /** The i-th group without its pictures. */
  capture(i: number): RenderedCapture {
    const [shard, capture] = this.#at(i);
    return this.#shards[shard]!.shard.captures[capture]!;
  }

  /** The i-th group; crops and landmarks are views onto the set's memory. */
  read(i: number): RenderedGroup {
    const [s, c, first] = this.#at(i);
    const { shard, bytes } = this.#shards[s]!;
    const { views, ...capture } = shard.captures[c]!;
    return {
      ...capture,
      views: views.map((view, v) => {
        const at = bytes.byteOffset + (first + v) * VIEW_BYTES;
        return {
          ...view,
          crop: new Uint8Array(bytes.buffer, at, CROP_BYTES),
          landmarks: new Float32Array(bytes.buffer, at + CROP_BYTES, LANDMARK_FLOATS),
        };
      }),
    };
  }

  #at(i: number): readonly [number, number, number] {
    const where = this.#where[i];
    if (where === undefined) {
      throw new ClmexError('invalid-argument', 'no such group', {
        field: 'group',
        value: i,
        allowed: `0 to ${String(this.groups - 1)}`,
      });
    }
    return where;
  }
}

/**
 * Loads the shards that are complete in a folder written by `clmex synth dataset`, or in all such
 * folders within one: who bears the same id in two sets is the same person. A set that is still
 * growing may be opened at any time.
 * @throws ClmexError `not-found` where there is no shard, `invalid-file` where one is damaged.
 */
export async function openRendered(dir: string): Promise<RenderedSet> {
  const sets = await renderedSets(dir);
  if (sets.length === 0) {
    throw new ClmexError('not-found', 'no rendered shard in this folder', {
      field: 'dir',
      value: dir,
      allowed: 'a folder written by clmex synth dataset, or a folder of such',
    });
  }
  const shards: LoadedShard[] = [];
  for (const set of sets) {
    const indexes = (await readdir(set)).filter((name) => SHARD_INDEX.test(name)).sort();
    shards.push(...(await Promise.all(indexes.map((name) => readShard(join(set, name))))));
  }
  return new RenderedSet(shards);
}

interface LoadedShard {
  readonly shard: Shard;
  readonly bytes: Buffer;
}

async function readShard(path: string): Promise<LoadedShard> {
  const shard = parseShard(await readFile(path, 'utf8'), path);
  const file = await readFile(path.replace(/\.json$/, '.bin'));
  const views = shard.captures.reduce((sum, capture) => sum + capture.views.length, 0);
  if (file.byteLength !== views * VIEW_BYTES) {
    throw new ClmexError('invalid-file', 'a shard of another length than its index says', {
      field: path,
      value: file.byteLength,
      allowed: `${String(views * VIEW_BYTES)} bytes`,
    });
  }
  // Small files come out of Node's pool at odd offsets, where no Float32Array may lie.
  return {
    shard,
    bytes: file.byteOffset % 4 === 0 ? file : Buffer.from(Uint8Array.from(file).buffer),
  };
}
