import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SHARD_INDEX } from './shard.js';

/** Whether a folder holds shards of a rendered set, or folders that do. */
export async function isRendered(directory: string): Promise<boolean> {
  return (await renderedSets(directory)).length > 0;
}

/** The folder itself where it holds shards, else its folders that do, sorted. */
export async function renderedSets(directory: string): Promise<string[]> {
  if (await holdsShards(directory)) return [directory];
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const sets: string[] = [];
  for (const entry of entries) {
    if (!entry.isDirectory() && !entry.isSymbolicLink()) continue;
    const folder = join(directory, entry.name);
    if (await holdsShards(folder)) sets.push(folder);
  }
  return sets.sort();
}

async function holdsShards(directory: string): Promise<boolean> {
  const names = await readdir(directory).catch(() => []);
  return names.some((name) => SHARD_INDEX.test(name));
}
