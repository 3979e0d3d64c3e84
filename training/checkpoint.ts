import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { ClmexError } from '../core/errors.js';
import { recipeSchema, type Recipe } from './recipe.js';

/** Everything a run needs to go on as if it had never stopped. */
export interface Checkpoint {
  readonly recipe: Recipe;
  readonly labels: readonly string[];
  /** What it predicts beside labels; see Predicted. */
  readonly shapes: number;
  readonly blendshapes: number;
  readonly frontal: number;
  readonly architecture: string;
  /** Of people and labels the run learns from. */
  readonly data: string;
  readonly learned: Learned;
  /** Steps taken. */
  readonly step: number;
  /** By name: parameters, statistics, their running means, the optimiser's memory. */
  readonly arrays: Readonly<Record<string, Float32Array>>;
}

/** How much a run learns from: moments and people of its data, groups of pictures beside it. */
export interface Learned {
  readonly groups: number;
  readonly people: number;
  readonly pictures: number;
}

const count = z.number().int().nonnegative();
/** 1 kept no share of landmarks: read with today's default it would be another network. */
const MAGIC = 'CLMEXCP2';
const headerSchema = z.object({
  recipe: recipeSchema,
  labels: z.array(z.string()),
  shapes: count,
  blendshapes: count,
  frontal: count,
  architecture: z.string(),
  data: z.string(),
  learned: z.object({ groups: count, people: count, pictures: count }),
  step: z.number().int(),
  arrays: z.array(z.object({ name: z.string(), length: count })),
});

/** One file: magic, header length, JSON header, float32 arrays; written aside and renamed. */
export async function saveCheckpoint(path: string, { arrays, ...rest }: Checkpoint): Promise<void> {
  const list = Object.entries(arrays);
  const header = Buffer.from(
    JSON.stringify({ ...rest, arrays: list.map(([name, { length }]) => ({ name, length })) }),
  );
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const data = list.map(([, array]) =>
    Buffer.from(array.buffer, array.byteOffset, array.byteLength),
  );
  const aside = `${path}.tmp-${process.pid}`;
  await mkdir(dirname(path), { recursive: true });
  try {
    await writeFile(aside, Buffer.concat([Buffer.from(MAGIC), length, header, ...data]));
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}

/** @throws ClmexError `not-found`, or `invalid-file` where it is cut short or none of this version. */
export async function loadCheckpoint(path: string): Promise<Checkpoint> {
  const file = await readFile(path).catch((cause: unknown) => {
    throw new ClmexError('not-found', 'cannot read the checkpoint', {
      field: 'checkpoint',
      value: path,
      cause,
    });
  });
  if (file.subarray(0, 8).toString('latin1') !== MAGIC)
    throw damaged(path, 'is no checkpoint of this version');
  const start = 12 + file.readUInt32LE(8);
  let json: unknown;
  try {
    json = JSON.parse(file.subarray(12, start).toString('utf8'));
  } catch {
    throw damaged(path, 'is cut short');
  }
  const parsed = headerSchema.safeParse(json);
  if (!parsed.success) throw damaged(path, parsed.error.issues[0]!.message);
  const { arrays: list, ...rest } = parsed.data;
  const total = list.reduce((sum, { length }) => sum + length * 4, 0);
  if (file.length !== start + total) throw damaged(path, 'is cut short');
  let at = start;
  const arrays = list.map(({ name, length }) => {
    const bytes = Uint8Array.from(file.subarray(at, (at += length * 4)));
    return [name, new Float32Array(bytes.buffer)] as const;
  });
  return { ...rest, arrays: Object.fromEntries(arrays) };
}

const damaged = (path: string, message: string): ClmexError =>
  new ClmexError('invalid-file', message, { field: 'checkpoint', value: path });
