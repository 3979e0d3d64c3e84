import { ClmexError } from '../core/errors.js';
import { openCamera, Timeline, type Camera } from './camera/index.js';
import { systemClock } from './clock.js';
import type { Config } from './config.js';

const PATIENCE_MS = 8000;

/**
 * Proves that a camera delivers: opens it and takes one frame.
 * @returns what came, for people.
 * @throws ClmexError what opening throws, or `timeout` where no frame came in eight seconds.
 */
export async function proveCamera(
  config: Config['cameras'][number],
  index: number,
): Promise<string> {
  const timeline = new Timeline(systemClock);
  const camera = await openCamera(config, { clock: systemClock, timeline, realtime: false, index });
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(silent(camera)), PATIENCE_MS);
  });
  try {
    return await Promise.race([firstFrame(camera), patience]);
  } finally {
    clearTimeout(timer);
    await camera.close();
  }
}

async function firstFrame(camera: Camera): Promise<string> {
  for await (const frame of camera.frames()) {
    frame.close();
    return `${frame.width}×${frame.height}, stamps from ${frame.stampSource}`;
  }
  throw new ClmexError('source-failed', 'ended without a frame', { field: camera.id });
}

function silent(camera: Camera): ClmexError {
  const { detail = 'no frame came' } = camera.status();
  return new ClmexError('timeout', `${detail} (waited ${PATIENCE_MS / 1000} s)`, {
    field: camera.id,
  });
}
