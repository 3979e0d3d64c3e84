import { readdir } from 'node:fs/promises';
import { SHARD_INDEX } from './shard.js';

/** Whether a folder holds shards of a rendered set. */
export async function isRendered(directory: string): Promise<boolean> {
  const names = await readdir(directory).catch(() => []);
  return names.some((name) => SHARD_INDEX.test(name));
}
