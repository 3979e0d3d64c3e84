import type { Readable } from 'node:stream';
import { ClmexError } from '../../core/errors.js';
import type { Slot } from './pool.js';

export interface Picture {
  /** Undefined where there was no room: the picture was read and forgotten. */
  readonly slot: Slot | undefined;
  readonly width: number;
  readonly height: number;
}

const HEADER = /^P6\s(\d+)\s(\d+)\s255\s/;
const HEADER_BYTES = 40;

/**
 * Binary PPM pictures, one after the other. A picture without room is yielded too, so that whoever
 * pairs pictures with stamps stays in step.
 */
export async function* readPictures(
  stream: Readable,
  room: (bytes: number) => Promise<Slot | undefined>,
): AsyncGenerator<Picture, void, void> {
  let header = Buffer.alloc(0);
  let slot: Slot | undefined;
  let [width, height, filled] = [0, 0, 0];
  let inside = false;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      let at = 0;
      while (at < chunk.length) {
        if (!inside) {
          const before = header.length;
          header = Buffer.concat([header, chunk.subarray(at, at + HEADER_BYTES - before)]);
          const size = parseHeader(header);
          if (size === undefined) break;
          at += size.length - before;
          [width, height, filled] = [size.width, size.height, 0];
          header = Buffer.alloc(0);
          slot = await room(width * height * 3);
          inside = true;
        }
        const taken = Math.min(width * height * 3 - filled, chunk.length - at);
        slot?.pixels.set(chunk.subarray(at, at + taken), filled);
        filled += taken;
        at += taken;
        if (filled < width * height * 3) break;
        const picture = { slot, width, height };
        [slot, inside] = [undefined, false];
        yield picture;
      }
    }
  } finally {
    slot?.release();
  }
}

/** Undefined while the header is incomplete. */
function parseHeader(
  header: Buffer,
): { width: number; height: number; length: number } | undefined {
  const match = HEADER.exec(header.toString('latin1'));
  if (match !== null) {
    return { width: Number(match[1]), height: Number(match[2]), length: match[0].length };
  }
  if (header.length < HEADER_BYTES) return undefined;
  throw new ClmexError('source-failed', 'the decoder sent something that is not a picture');
}
