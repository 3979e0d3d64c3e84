import type { Command } from 'commander';
import sharp from 'sharp';
import { ClmexError } from '../core/errors.js';
import type { RawFrame } from '../core/types.js';
import { openCamera, Timeline, type Camera, type CameraStatus } from '../runtime/camera/index.js';
import { systemClock } from '../runtime/clock.js';
import { RecordingWriter } from '../runtime/recording/index.js';
import { rigOf } from '../runtime/rig.js';
import { FrameTimer, type SyncConfig } from '../runtime/sync/index.js';
import { readConfig } from '../runtime/index.js';
import { cameraLines } from './camera-lines.js';
import { integer, notice, printResult, progress } from './output.js';

interface Options {
  readonly config: string;
  readonly out: string;
  readonly seconds?: number;
  readonly quality: number;
  readonly overwrite: boolean;
  readonly json: boolean;
}

/** `clmex record`: what the cameras of a configuration deliver, into one MCAP file. */
export function register(program: Command): void {
  program
    .command('record')
    .description('Record the cameras of a configuration into an MCAP file (opens in Foxglove).')
    .requiredOption('--config <file>', 'configuration (JSON)')
    .requiredOption('--out <file>', 'the recording to write')
    .option(
      '--seconds <n>',
      'stop so many seconds after the start, opening the cameras included',
      integer('--seconds', 1, 7 * 86_400),
    )
    .option('--quality <n>', 'JPEG quality', integer('--quality', 1, 100), 85)
    .option(
      '--overwrite',
      'replace the recording of this name, which waits as FILE.former until the new one is closed',
      false,
    )
    .option('--json', 'print one JSON document at the end', false)
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { out, seconds, quality, overwrite, json } = options;
  const config = await readConfig(options.config);
  const rig = await rigOf(config);
  const say = cameraLines();
  const onStatus = (status: CameraStatus): void => {
    if (status.state !== 'connecting' && status.state !== 'closed') say(status);
  };
  const context = { clock: systemClock, timeline: new Timeline(systemClock), onStatus };
  const cameras: Camera[] = [];
  const stop = (): void => void closeAll(cameras);
  const timer = seconds === undefined ? undefined : setTimeout(stop, seconds * 1000);
  process.once('SIGINT', stop).once('SIGTERM', stop);
  let writer: RecordingWriter | undefined;
  try {
    for (const [index, camera] of config.cameras.entries()) {
      cameras.push(await openCamera(camera, { ...context, index }));
    }
    writer = await RecordingWriter.create(out, { rig, replace: overwrite });
    const startedMs = systemClock.nowMs();
    const recorder = new Recorder(writer, quality, config.sync);
    const failures = await Promise.all(cameras.map((camera) => recorder.drain(camera)));
    const { written } = recorder;
    await (written.size === 0 ? writer.discard() : writer.close());
    report({
      out,
      json,
      cameras,
      writer,
      written,
      failures,
      ranMs: systemClock.nowMs() - startedMs,
    });
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', stop).off('SIGTERM', stop);
    await closeAll(cameras);
    await writer?.close();
  }
}

async function closeAll(cameras: readonly Camera[]): Promise<void> {
  await Promise.all(cameras.map((camera) => camera.close()));
}

class Recorder {
  readonly #writer: RecordingWriter;
  readonly #quality: number;
  readonly #timer: FrameTimer;
  /** Frames in the file, a camera. */
  readonly written = new Map<string, number>();
  #saidMs = -Infinity;

  constructor(writer: RecordingWriter, quality: number, sync: SyncConfig) {
    this.#writer = writer;
    this.#quality = quality;
    this.#timer = new FrameTimer(sync);
  }

  /**
   * Writes a camera's frames until it ends. A camera that breaks is returned as a failure, the
   * others go on; a disk that is full ends them all.
   */
  async drain(camera: Camera): Promise<Error | undefined> {
    const frames = camera.frames();
    for (;;) {
      let next: IteratorResult<RawFrame, void>;
      try {
        next = await frames.next();
      } catch (error) {
        return error as Error;
      }
      if (next.done === true) return undefined;
      await this.#write(next.value);
    }
  }

  async #write(frame: RawFrame): Promise<void> {
    const { cameraId, sequence, stampMs, stampSource, arrivedAtMs, width, height } = frame;
    const times = this.#timer.push(frame);
    let jpeg: Uint8Array;
    try {
      const pixels = Buffer.from(frame.pixels);
      const image = sharp(pixels, { raw: { width, height, channels: 3 } });
      jpeg = await image.jpeg({ quality: this.#quality }).toBuffer();
    } finally {
      frame.close();
    }
    await this.#writer.writeFrame({
      cameraId, sequence, stampMs, stampSource, arrivedAtMs, width, height, jpeg, ...times,
    }); // prettier-ignore
    this.written.set(cameraId, (this.written.get(cameraId) ?? 0) + 1);
    if (systemClock.nowMs() - this.#saidMs < 2000) return;
    this.#saidMs = systemClock.nowMs();
    progress(`${this.#writer.frames} frames, ${(this.#writer.bytes / 1e6).toFixed(1)} MB`);
  }
}

interface Outcome {
  readonly out: string;
  readonly json: boolean;
  readonly cameras: readonly Camera[];
  readonly writer: RecordingWriter;
  readonly written: ReadonlyMap<string, number>;
  readonly failures: readonly (Error | undefined)[];
  readonly ranMs: number;
}

function report({ out, json, cameras, writer, written, failures, ranMs }: Outcome): void {
  const states = cameras.map((camera, i) => {
    const { drops, width, height, reconnects, detail } = camera.status();
    // What came in the last moment, as recording ended, was not written.
    const frames = written.get(camera.id) ?? 0;
    const silence = detail === undefined ? 'delivered no frame' : `delivered no frame: ${detail}`;
    const failure = failures[i]?.message ?? (frames === 0 ? silence : undefined);
    return [camera.id, { frames, drops, width, height, reconnects, failure }] as const;
  });
  const { frames } = writer;
  const bytes = frames > 0 ? writer.bytes : 0;
  const result = { out, seconds: ranMs / 1000, frames, bytes, cameras: Object.fromEntries(states) };
  if (frames > 0 || json)
    printResult(json, result, () => `${out}: ${frames} frames, ${(bytes / 1e6).toFixed(1)} MB`);
  for (const [id, { failure }] of states) {
    if (failure !== undefined) notice(`clmex: camera '${id}': ${failure}`);
  }
  if (frames > 0) return;
  throw new ClmexError('source-failed', 'no camera delivered a frame');
}
