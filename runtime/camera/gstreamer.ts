import { execFile } from 'node:child_process';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { ClmexError } from '../../core/errors.js';
import type { RawFrame } from '../../core/types.js';
import { fieldOf, type CameraContext, type FrameSource, type SourceLife } from './camera.js';
import { Child } from './child.js';
import type { CameraConfig, SourceOf } from './config.js';
import { frameOf } from './frame.js';
import { gstMessages, type GstBuffer } from './gst-messages.js';
import type { LineQueue } from './line-queue.js';
import type { Slot } from './pool.js';

const COMMAND = 'gst-launch-1.0';
const TURNS = ['identity', '90r', '180', '90l'] as const;

/**
 * A GStreamer pipeline given as for gst-launch-1.0, up to raw video. A CSI camera on Jetson:
 * `nvarguscamerasrc sensor-id=0 ! video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1 !
 * nvvidconv ! video/x-raw,format=BGRx`. Stamps are the buffers' presentation times.
 * @throws ClmexError `not-found` without GStreamer
 */
export async function openGstreamer(
  camera: CameraConfig,
  source: SourceOf<'gstreamer'>,
  context: CameraContext,
): Promise<FrameSource> {
  try {
    await promisify(execFile)(COMMAND, ['--version'], { timeout: 10_000 });
  } catch (cause) {
    throw new ClmexError('not-found', 'GStreamer is not installed', {
      field: `${fieldOf(camera, context)}.source.kind`,
      allowed: `${COMMAND} on the PATH (Debian, Ubuntu: apt install gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good)`,
      cause,
    });
  }
  const { size } = source;
  const scaled = size === undefined ? '' : `,width=${size.width},height=${size.height}`;
  const args = splitArguments(
    `${source.pipeline} ! videoconvert ! videoscale ! video/x-raw${scaled} ` +
      `! videoflip video-direction=${TURNS[camera.rotate]} ! videoconvert ! video/x-raw,format=RGB ` +
      '! identity name=clmexstamp silent=false ! fdsink fd=3 sync=false',
  );
  return {
    silenceMs: source.silenceMs,
    run: (life) => run(camera.id, args, context, life),
  };
}

async function* run(
  cameraId: string,
  args: readonly string[],
  { clock }: CameraContext,
  life: SourceLife,
): AsyncGenerator<RawFrame, void, void> {
  const stdio = ['ignore', 'pipe', 'pipe', 'pipe'] as const;
  const child = new Child(COMMAND, ['-v', ...args], [...stdio], life.signal);
  const messages = gstMessages(child.process.stdout!);
  const pictures = readRgb(child.process.stdio[3] as Readable, messages, life, () => clock.nowMs());
  try {
    for await (const { slot, width, height, stampMs, arrivedAtMs } of pictures) {
      if (slot === undefined || Number.isNaN(stampMs)) {
        slot?.release();
        life.drop(slot === undefined ? 'no-buffer' : 'invalid-stamp');
        continue;
      }
      const sequence = life.nextSequence();
      yield frameOf(slot, {
        cameraId, sequence, stampMs, stampSource: 'driver', arrivedAtMs, width, height,
      }); // prettier-ignore
    }
    const failure = child.failure('GStreamer', await child.ended);
    if (failure !== undefined && !life.signal.aborted) throw failure;
  } catch (error) {
    if (!life.signal.aborted) throw error;
  } finally {
    messages.close();
    await child.stop();
  }
}

interface Picture {
  readonly slot: Slot | undefined;
  readonly width: number;
  readonly height: number;
  readonly stampMs: number;
  readonly arrivedAtMs: number;
}

/** Raw RGB pictures, whose rows GStreamer pads to four bytes. */
async function* readRgb(
  stream: Readable,
  messages: LineQueue<GstBuffer>,
  life: SourceLife,
  now: () => number,
): AsyncGenerator<Picture, void, void> {
  let slot: Slot | undefined;
  let [width, height, stride, filled, stampMs, arrivedAtMs] = [0, 0, 0, 0, 0, 0];
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      let at = 0;
      while (at < chunk.length) {
        if (filled === 0) {
          arrivedAtMs = now();
          ({ width, height, stampMs } = await messages.next());
          if (width === 0) return;
          stride = Math.ceil((width * 3) / 4) * 4;
          slot = life.pool.tryTake(width * height * 3);
        }
        const taken = Math.min(stride * height - filled, chunk.length - at);
        if (slot !== undefined)
          copyRows(chunk.subarray(at, at + taken), filled, slot.pixels, width * 3, stride);
        filled += taken;
        at += taken;
        if (filled < stride * height) break;
        const picture = { slot, width, height, stampMs, arrivedAtMs };
        [slot, filled] = [undefined, 0];
        yield picture;
      }
    }
  } finally {
    slot?.release();
  }
}

/** Copies bytes of a padded picture, from its byte `offset` on, to where they stand without pads. */
function copyRows(
  bytes: Buffer,
  offset: number,
  target: Uint8Array,
  row: number,
  stride: number,
): void {
  if (row === stride) {
    target.set(bytes, offset);
    return;
  }
  for (let at = 0; at < bytes.length;) {
    const y = Math.floor((offset + at) / stride);
    const x = offset + at - y * stride;
    const piece = Math.min(stride - x, bytes.length - at);
    const used = Math.min(piece, row - x);
    if (used > 0) target.set(bytes.subarray(at, at + used), y * row + x);
    at += piece;
  }
}

/** Words of a pipeline; quotes hold words together. */
function splitArguments(line: string): string[] {
  const words = line.match(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g) ?? [];
  return words.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, '$1$2'));
}
