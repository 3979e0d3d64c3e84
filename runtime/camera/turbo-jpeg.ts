import { findOptional } from '../optional-package.js';

/**
 * Decodes a JPEG of the expected size straight into `pixels` (RGB24, width × height × 3 bytes), off
 * this thread; false where it cannot, and a decoder that knows more has to say why.
 */
export type JpegDecoder = (
  jpeg: Uint8Array,
  size: { readonly width: number; readonly height: number },
  pixels: Uint8Array,
) => Promise<boolean>;

const PACKAGE = '@julusian/jpeg-turbo';

/** What of the package is used; of its own types only these are needed. */
interface Turbo {
  readonly FORMAT_RGB: number;
  decompress(
    jpeg: Buffer,
    pixels: Buffer,
    options: { readonly format: number },
  ): Promise<{ readonly width: number; readonly height: number }>;
}

/**
 * libjpeg-turbo with its fast transform, a quarter of the time sharp takes; undefined where the
 * package is not installed or has no build for this machine.
 */
export function turboJpeg(): JpegDecoder | undefined {
  let turbo: Turbo;
  try {
    const found = findOptional(PACKAGE)?.(PACKAGE) as Turbo | undefined;
    if (found === undefined) return undefined;
    turbo = found;
  } catch {
    return undefined;
  }
  return async (jpeg, size, pixels) => {
    try {
      const { width, height } = await turbo.decompress(bufferOf(jpeg), bufferOf(pixels), {
        format: turbo.FORMAT_RGB,
      });
      return width === size.width && height === size.height;
    } catch {
      return false;
    }
  };
}

const bufferOf = ({ buffer, byteOffset, length }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, length);
