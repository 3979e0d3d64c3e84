import sharp from 'sharp';
import { ClmexError } from '../core/errors.js';

/** An upright RGB24 picture, row-major. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** 8K UHD doubled; 400 megabytes decoded. */
const MOST_PIXELS = 134_000_000;
const MOST_FILE_BYTES = 256 << 20;
const MOST_SECONDS = 30;
/** As sharp names them; AVIF is a HEIF. */
const FORMATS = new Set<string>(['jpeg', 'png', 'webp', 'gif', 'heif', 'tiff']);

/**
 * Decodes a picture of any format sharp reads: upright after its EXIF orientation, sRGB of 8 bits
 * (deeper ones are scaled, grey ones spread, CMYK converted), transparency on black, the first frame
 * of an animation.
 * @param name For errors.
 * @throws ClmexError `invalid-file` for what is no picture or ends early, `limit-exceeded` for one
 *   past 134 megapixels or 256 MiB.
 */
export async function decodePicture(bytes: Uint8Array, name = 'picture'): Promise<Picture> {
  if (bytes.length > MOST_FILE_BYTES)
    throw tooLarge(name, `${bytes.length} bytes`, MOST_FILE_BYTES);
  try {
    const options = { limitInputPixels: false, failOn: 'truncated', pages: 1 } as const;
    const { width, height, format } = await sharp(bytes, options).metadata();
    // Drawings are programs for a renderer, not pictures.
    if (!FORMATS.has(format)) throw new Error(`${format} is not supported`);
    if (width * height > MOST_PIXELS) throw tooLarge(name, `${width} × ${height}`, MOST_PIXELS);
    const { data, info } = await sharp(bytes, options)
      .timeout({ seconds: MOST_SECONDS })
      .rotate()
      .flatten({ background: '#000' })
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const pixels = info.channels === 3 ? new Uint8Array(data) : spread(data, info.channels);
    return { width: info.width, height: info.height, pixels };
  } catch (cause) {
    if (cause instanceof ClmexError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ClmexError('invalid-file', `cannot decode the picture: ${reason}`, {
      field: name,
      allowed: 'JPEG, PNG, WebP, GIF, AVIF or TIFF',
      cause,
    });
  }
}

/** Grey to RGB. */
function spread(data: Uint8Array, channels: number): Uint8Array {
  const count = data.length / channels;
  const pixels = new Uint8Array(count * 3);
  for (let i = 0; i < count; i++) pixels.fill(data[i * channels]!, i * 3, i * 3 + 3);
  return pixels;
}

function tooLarge(field: string, value: string, most: number): ClmexError {
  return new ClmexError('limit-exceeded', 'the picture is too large', {
    field,
    value,
    allowed: `up to ${most} ${value.endsWith('bytes') ? 'bytes' : 'pixels'}`,
  });
}
