import { execFile } from 'node:child_process';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { ClmexError } from '../../core/errors.js';
import { Child } from './child.js';
import { ptsLines } from './pts-lines.js';
import type { Slot } from './pool.js';
import { readPictures, type Picture } from './ppm.js';

const run = promisify(execFile);

export interface Decoding {
  /** FFmpeg arguments up to and with `-i …`. */
  readonly input: readonly string[];
  readonly size?: { readonly width: number; readonly height: number } | undefined;
  /** Quarter turns clockwise, after scaling. */
  readonly rotate: number;
  readonly signal: AbortSignal;
  /** A place for a picture that begins; undefined: the picture is read and forgotten. */
  readonly room: (bytes: number) => Promise<Slot | undefined>;
}

export interface Decoded extends Picture {
  /** Presentation stamp; NaN where the stream has none. */
  readonly ptsMs: number;
  /** The container FFmpeg found, e.g. rtsp, mpegts, mpjpeg. */
  readonly container: string;
}

const TURNS = [[], ['transpose=clock'], ['hflip', 'vflip'], ['transpose=cclock']] as const;

/**
 * Decodes in an FFmpeg child. Pictures come as PPM, which carries the size; their presentation
 * stamps come on a second pipe, a line a frame, printed by a filter just before the picture leaves.
 * @throws ClmexError `not-found` without FFmpeg, `source-failed` with FFmpeg's last words
 */
export async function* decode(decoding: Decoding): AsyncGenerator<Decoded, void, void> {
  const { size, signal } = decoding;
  const passthrough = await passthroughOption();
  const filters = [
    ...(size === undefined ? [] : [`scale=${size.width}:${size.height}`]),
    ...TURNS[decoding.rotate & 3]!,
    'settb=1/1000000',
    'metadata=mode=add:key=t:value=1',
    "metadata=mode=print:file='pipe\\:3':direct=1",
  ];
  const args = [
    ...['-hide_banner', '-nostdin', '-loglevel', 'level+info', '-nostats'],
    ...['-threads', '1', ...decoding.input],
    ...['-map', '0:v:0', '-vf', filters.join(','), ...passthrough],
    ...['-f', 'image2pipe', '-c:v', 'ppm', '-pix_fmt', 'rgb24', 'pipe:1'],
  ];
  const child = new Child('ffmpeg', args, ['ignore', 'pipe', 'pipe', 'pipe'], signal);
  let container: string | undefined;
  const stamps = ptsLines(child.process.stdio[3] as Readable);
  try {
    for await (const picture of readPictures(child.process.stdout!, decoding.room)) {
      const ptsUs = await stamps.next();
      container ??= /Input #0, ([^,\s]+)/.exec(child.errors)?.[1];
      yield { ...picture, ptsMs: ptsUs / 1000, container: container ?? '' };
    }
    const failure = child.failure('FFmpeg', await child.ended);
    if (failure !== undefined && !signal.aborted) throw failure;
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    stamps.close();
    await child.stop();
  }
}

let passthroughArgs: Promise<readonly string[]> | undefined;

/** `-vsync` is gone in new versions, `-fps_mode` unknown to those before 5.1 (Jetson has 4.x). */
function passthroughOption(): Promise<readonly string[]> {
  passthroughArgs ??= ffmpegVersion().then(([major, minor]) =>
    major > 5 || (major === 5 && minor >= 1)
      ? ['-fps_mode', 'passthrough']
      : ['-vsync', 'passthrough'],
  );
  passthroughArgs.catch(() => (passthroughArgs = undefined));
  return passthroughArgs;
}

/** Major and minor number; development builds count as new. @throws ClmexError `not-found` */
export async function ffmpegVersion(): Promise<[number, number]> {
  let text: string;
  try {
    text = (await run('ffmpeg', ['-version'], { timeout: 10_000 })).stdout;
  } catch (cause) {
    throw new ClmexError('not-found', 'FFmpeg is not installed', {
      allowed: 'ffmpeg on the PATH (Debian, Ubuntu: apt install ffmpeg)',
      cause,
    });
  }
  const match = /^ffmpeg version n?(\d+)\.(\d+)/.exec(text);
  return match === null ? [99, 0] : [Number(match[1]), Number(match[2])];
}

/** Frames the file's header announces, where it does. */
export async function announcedFrames(path: string): Promise<number | undefined> {
  try {
    const { stdout } = await run(
      'ffprobe',
      ['-v', 'error', '-select_streams', 'v:0', '-show_entries', 'stream=nb_frames', '-of', 'csv=p=0', path],
      { timeout: 20_000 },
    ); // prettier-ignore
    const count = Number.parseInt(stdout, 10);
    return Number.isNaN(count) ? undefined : count;
  } catch {
    return undefined; // FFmpeg's own message, at decoding, says more
  }
}
