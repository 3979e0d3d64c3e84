import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import NodeWebcam from 'node-webcam';
import sharp from 'sharp';
import { ClmexError } from '../../core/errors.js';
import type { RawFrame } from '../../core/types.js';
import type { CameraContext, FrameSource, SourceLife } from './camera.js';
import { Child } from './child.js';
import type { CameraConfig, SourceOf } from './config.js';
import { frameOf } from './frame.js';
import { sleepUntil } from './timeline.js';

/**
 * Stills through node-webcam, which knows each platform's tool (fswebcam, imagesnap, CommandCam).
 * The tool is run without a shell, so that it can be ended, and nothing in the configuration is
 * taken for a command. Every picture opens the device anew: seconds, not milliseconds.
 */
export function openWebcam(
  camera: CameraConfig,
  source: SourceOf<'node-webcam'>,
  context: CameraContext,
): FrameSource {
  return { silenceMs: source.silenceMs, run: (life) => stills(camera, source, context, life) };
}

async function* stills(
  camera: CameraConfig,
  { device, size, everyMs }: SourceOf<'node-webcam'>,
  { clock }: CameraContext,
  life: SourceLife,
): AsyncGenerator<RawFrame, void, void> {
  const folder = await mkdtemp(join(tmpdir(), 'clmex-webcam-'));
  const path = join(folder, 'still.jpg');
  const tool = NodeWebcam.create({ ...size, device: device ?? false, quality: 95, output: 'jpeg' });
  const [command, ...args] = tool
    .generateSh(path)
    .split(/\s+/)
    .filter((word) => word !== '');
  try {
    for (let dueMs = clock.nowMs(); ; dueMs = Math.max(dueMs + everyMs, clock.nowMs())) {
      await sleepUntil(clock, dueMs, life.signal);
      if (life.signal.aborted) return;
      const child = new Child(command!, args, ['ignore', 'ignore', 'pipe'], life.signal);
      const ending = await child.ended;
      const failure = child.failure(command!, ending);
      if (failure !== undefined) throw failure; // also where it was ended for us
      const arrivedAtMs = clock.nowMs();
      const frame = await pictureOf(path, child.errors, camera, life, arrivedAtMs);
      if (frame !== undefined) yield frame;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The still as a frame; undefined where there was no buffer for it. */
async function pictureOf(
  path: string,
  words: string,
  camera: CameraConfig,
  life: SourceLife,
  arrivedAtMs: number,
): Promise<RawFrame | undefined> {
  const jpeg = await readFile(path).catch((cause: unknown) => {
    const why = stripVTControlCharacters(words).trim().split('\n').at(-1) ?? '';
    throw new ClmexError(
      'source-failed',
      `no picture was taken: ${why || 'the device gives none'}`,
      { cause },
    );
  });
  await rm(path);
  const { data, info } = await sharp(jpeg)
    .rotate(camera.rotate * 90)
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const slot = life.pool.tryTake(data.length);
  if (slot === undefined) {
    life.drop('no-buffer');
    return undefined;
  }
  slot.pixels.set(data);
  return frameOf(slot, {
    cameraId: camera.id,
    sequence: life.nextSequence(),
    stampMs: arrivedAtMs,
    stampSource: 'arrival',
    arrivedAtMs,
    width: info.width,
    height: info.height,
  });
}
