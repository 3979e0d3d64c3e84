import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ClmexError } from '../core/errors.js';
import { loadModel, type Model } from '../encoder/index.js';
import { loadCheckpoint, type Checkpoint } from '../training/index.js';

/**
 * The weights in a folder.
 * @param option for errors.
 * @throws ClmexError `not-found` where there is neither a run nor a model package.
 */
export async function openWeights(option: string, directory: string): Promise<Checkpoint | Model> {
  const checkpoint = join(directory, 'checkpoint.bin');
  if (existsSync(checkpoint)) return loadCheckpoint(checkpoint);
  if (existsSync(join(directory, 'manifest.json'))) return loadModel(directory);
  throw new ClmexError('not-found', 'holds neither a run nor a model package', {
    field: option,
    value: directory,
    allowed: 'a folder with checkpoint.bin, or with manifest.json',
  });
}
