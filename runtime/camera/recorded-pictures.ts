import sharp from 'sharp';
import { ClmexError } from '../../core/errors.js';
import { readRecording, type RecordedFrame } from '../recording/index.js';
import type { JpegDecoder } from './turbo-jpeg.js';

/** Where pictures of one camera are read from. */
export interface PicturesOf {
  readonly path: string;
  readonly cameraId: string;
  /** Quarter turns clockwise that bring the picture upright. */
  readonly turns: number;
}

/** A frame whose pixels wait; size as it will be, upright. */
export type RecordedPicture = Omit<RecordedFrame, 'jpeg'> & { readonly jpeg?: undefined };

/** The pictures of one camera of a recording, from the first to the last. Calls may not overlap. */
export interface RecordedPictures {
  /** The next frame, or where the file is cut off; undefined at its end. */
  next(): Promise<RecordedPicture | { readonly truncatedAtByte: number } | undefined>;
  /** Pixels of the frame that `next` gave last, RGB24. @throws ClmexError `invalid-file` */
  decode(pixels: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Decodes where it is called; {@link ./pictures-thread} does it in a thread of its own. */
export class LocalPictures implements RecordedPictures {
  readonly #of: PicturesOf;
  readonly #fast: JpegDecoder | undefined;
  readonly #entries: ReturnType<typeof readRecording>;
  #frame: RecordedFrame | undefined;

  /** @param fast tried first where pictures stand upright; sharp decodes exactly and anything. */
  constructor(of: PicturesOf, fast?: JpegDecoder) {
    this.#of = of;
    this.#fast = fast;
    this.#entries = readRecording(of.path, { cameraId: of.cameraId });
  }

  async next(): ReturnType<RecordedPictures['next']> {
    for (;;) {
      const { value: entry } = await this.#entries.next();
      if (entry === undefined) return undefined;
      if (entry.kind === 'truncated') return { truncatedAtByte: entry.atByte };
      if (entry.kind !== 'frame') continue;
      this.#frame = entry.frame;
      const { width, height } = entry.frame;
      const lying = this.#of.turns % 2 !== 0;
      const upright = lying ? { width: height, height: width } : { width, height };
      return { ...entry.frame, ...upright, jpeg: undefined };
    }
  }

  async decode(pixels: Uint8Array): Promise<void> {
    const frame = this.#frame!;
    const { turns } = this.#of;
    if (turns === 0 && (await this.#fast?.(frame.jpeg, frame, pixels)) === true) return;
    const picture = sharp(frame.jpeg, { failOn: 'none', sequentialRead: turns === 0 });
    if (turns > 0) picture.rotate(turns * 90);
    const data = await this.#wrong(picture.toColourspace('srgb').removeAlpha().raw().toBuffer());
    if (data.length !== pixels.length) throw this.#notPicture();
    pixels.set(data);
  }

  async close(): Promise<void> {
    await this.#entries.return();
  }

  async #wrong<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (cause) {
      throw this.#notPicture(cause);
    }
  }

  #notPicture(cause?: unknown): ClmexError {
    const { sequence, cameraId } = this.#frame!;
    return new ClmexError('invalid-file', `frame ${sequence} of camera '${cameraId}' is not a picture`, { cause }); // prettier-ignore
  }
}
