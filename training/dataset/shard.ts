import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ClmexError } from '../../core/errors.js';
import { EXPRESSION_LABELS } from '../../core/types.js';

/** Side of the square grey crop. */
const CROP_SIDE = 64;
export const CROP_BYTES = CROP_SIDE * CROP_SIDE;
export const LANDMARK_FLOATS = 468 * 3;
/** One view in a shard's binary file: the crop, then the landmarks as little-endian float32. */
export const VIEW_BYTES = CROP_BYTES + LANDMARK_FLOATS * 4;

export const SPLITS = ['train', 'validation', 'test'] as const;
export type Split = (typeof SPLITS)[number];

/** Names of the index files; the binary file beside has the ending `.bin`. */
export const SHARD_INDEX = /^shard-\d+\.json$/;

const viewSchema = z.object({
  yawDeg: z.number(),
  pitchDeg: z.number(),
  rollDeg: z.number(),
  trueYawDeg: z.number(),
  quality: z.number(),
});

const shardSchema = z.object({
  version: z.literal(1),
  seed: z.number(),
  shapeNames: z.array(z.string()),
  /** True yaw of the views in which no face was found. */
  missedYawDeg: z.array(z.number()),
  captures: z.array(
    z.object({
      personId: z.string(),
      split: z.enum(SPLITS),
      label: z.enum(EXPRESSION_LABELS),
      strength: z.number(),
      shapes: z.array(z.number()),
      views: z.array(viewSchema),
    }),
  ),
});

/** A shard's index: captures in the order in which their views lie in the binary file. */
export type Shard = z.infer<typeof shardSchema>;

/** A view's pixels and points, as they go into the binary file. */
export interface ViewData {
  readonly crop: Uint8Array;
  readonly landmarks: Float32Array;
}

/** @throws ClmexError `invalid-file` naming the first wrong field. */
export function parseShard(text: string, path: string): Shard {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ClmexError('invalid-file', 'a shard index that is not JSON', { field: path, cause });
  }
  const parsed = shardSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new ClmexError('invalid-file', `not a shard index: ${issue.message}`, {
    field: [path, ...issue.path].join('.'),
  });
}

export const shardName = (number: number): string => `shard-${String(number).padStart(5, '0')}`;

/**
 * Writes one shard whole: the binary file first, the index last, each aside and renamed, so that an
 * index is there only where its data is complete.
 */
export async function writeShard(
  dir: string,
  number: number,
  shard: Shard,
  views: readonly ViewData[],
): Promise<void> {
  const bytes = new Uint8Array(views.length * VIEW_BYTES);
  views.forEach(({ crop, landmarks }, i) => {
    if (crop.length !== CROP_BYTES || landmarks.length < LANDMARK_FLOATS) {
      throw new ClmexError('invalid-argument', 'a view of the wrong size', {
        field: `views[${String(i)}]`,
        value: { crop: crop.length, landmarks: landmarks.length },
        allowed: `${String(CROP_BYTES)} crop bytes, ${String(LANDMARK_FLOATS)} landmark numbers`,
      });
    }
    bytes.set(crop, i * VIEW_BYTES);
    const points = landmarks.slice(0, LANDMARK_FLOATS);
    bytes.set(new Uint8Array(points.buffer), i * VIEW_BYTES + CROP_BYTES);
  });
  await mkdir(dir, { recursive: true });
  const name = shardName(number);
  await writeAside(dir, `${name}.bin`, bytes);
  await writeAside(dir, `${name}.json`, JSON.stringify(shard));
}

async function writeAside(dir: string, name: string, data: Uint8Array | string): Promise<void> {
  const aside = join(dir, `.tmp-${String(process.pid)}-${name}`);
  await writeFile(aside, data);
  await rename(aside, join(dir, name));
}
