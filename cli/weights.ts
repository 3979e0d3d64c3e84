import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ClmexError } from '../core/errors.js';
import { loadModel, type Model } from '../encoder/index.js';
import { loadCheckpoint, type Checkpoint } from '../training/index.js';

const CHECKPOINT = 'checkpoint.bin';

/** @throws ClmexError `not-found` naming `--run` where the folder holds no run; `invalid-file` where that is damaged. */
export async function openRun(directory: string): Promise<Checkpoint> {
  const path = join(directory, CHECKPOINT);
  if (existsSync(path)) return loadCheckpoint(path);
  throw new ClmexError('not-found', 'holds no run', {
    field: '--run',
    value: directory,
    allowed: 'a folder with the checkpoint.bin of clmex train finetune',
  });
}

/**
 * The weights in a folder.
 * @param option for errors.
 * @throws ClmexError `not-found` where there is neither a run nor a model package.
 */
export async function openWeights(option: string, directory: string): Promise<Checkpoint | Model> {
  const checkpoint = join(directory, CHECKPOINT);
  if (existsSync(checkpoint)) return loadCheckpoint(checkpoint);
  if (existsSync(join(directory, 'manifest.json'))) return loadModel(directory);
  throw new ClmexError('not-found', 'holds neither a run nor a model package', {
    field: option,
    value: directory,
    allowed: 'a folder with checkpoint.bin, or with manifest.json',
  });
}
