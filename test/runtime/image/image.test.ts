import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import sharp, { type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { ClmexError } from '../../../core/errors.js';
import { decodePicture, type Picture } from '../../../runtime/image.js';

/** Left half one colour, right half another. */
const halves = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#c86432' } }).composite([
    { input: { create: { width: Math.ceil(width / 2), height, channels: 3, background: '#3264c8' } }, left: Math.floor(width / 2), top: 0 }, // prettier-ignore
  ]);
const at = ({ pixels, width }: Picture, x: number, y: number): number[] =>
  Array.from(pixels.subarray((y * width + x) * 3, (y * width + x) * 3 + 3));
const LEFT = [200, 100, 50];

describe('a picture', () => {
  it('comes as RGB of 8 bits, row by row', async () => {
    const picture = await decodePicture(await halves(40, 20).png().toBuffer());
    expect([picture.width, picture.height, picture.pixels.length]).toEqual([40, 20, 2400]);
    expect(at(picture, 3, 10)).toEqual(LEFT);
    expect(at(picture, 36, 10)).toEqual([50, 100, 200]);
  });

  it('is turned upright as its EXIF orientation says', async () => {
    const bytes = await halves(40, 20).withMetadata({ orientation: 6 }).jpeg({ quality: 100 }).toBuffer(); // prettier-ignore
    const picture = await decodePicture(bytes);
    expect([picture.width, picture.height]).toEqual([20, 40]);
    expect(Math.abs(at(picture, 10, 3)[0]! - LEFT[0]!)).toBeLessThan(8);
  });

  it.each([
    ['grey', (image: Sharp) => image.greyscale().png()],
    ['16 bits a channel', (image: Sharp) => image.toColourspace('rgb16').png()],
    ['CMYK', (image: Sharp) => image.toColourspace('cmyk').jpeg({ quality: 100 })],
    ['with transparency', (image: Sharp) => image.ensureAlpha().webp({ lossless: true })],
    ['with a palette', (image: Sharp) => image.gif()],
  ])('of another kind is converted: %s', async (name, convert) => {
    const flat = await halves(32, 32).png().toBuffer();
    const picture = await decodePicture(await convert(sharp(flat)).toBuffer());
    expect([picture.width, picture.height, picture.pixels.length]).toEqual([32, 32, 3072]);
    const [red, green, blue] = at(picture, 4, 16) as [number, number, number];
    if (name === 'grey') expect([red - green, green - blue]).toEqual([0, 0]);
    else expect(red).toBeGreaterThan(blue + 50);
  });

  it.each(['gif', 'webp'] as const)('that moves gives its first frame: %s', async (format) => {
    const frame = (background: string) =>
      sharp({ create: { width: 8, height: 8, channels: 3, background } }).raw().toBuffer(); // prettier-ignore
    const both = Buffer.concat([await frame('#ff0000'), await frame('#0000ff')]);
    const bytes = await sharp(both, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } }).toFormat(format, { delay: [50, 50], lossless: true }).toBuffer(); // prettier-ignore
    const picture = await decodePicture(bytes);
    expect([picture.width, picture.height]).toEqual([8, 8]);
    expect(at(picture, 4, 4)).toEqual([255, 0, 0]);
  });

  it('of one pixel is a picture', async () => {
    expect((await decodePicture(await halves(1, 1).png().toBuffer())).pixels).toHaveLength(3);
  });

  it('of 20,000 × 20,000 is refused before it is decoded', async () => {
    const bytes = await halves(2, 2).png().toBuffer();
    // IHDR begins at byte 12: its name, width, height, five more bytes, checksum.
    bytes.writeUInt32BE(20_000, 16);
    bytes.writeUInt32BE(20_000, 20);
    bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
    await expect(decodePicture(bytes, 'huge.png')).rejects.toMatchObject({
      code: 'limit-exceeded',
      field: 'huge.png',
    });
  });

  it('cut off is refused', async () => {
    const bytes = await halves(200, 200).jpeg().toBuffer();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.length - 40 }), async (length) => {
        await expect(decodePicture(bytes.subarray(0, length))).rejects.toBeInstanceOf(ClmexError);
      }),
      { numRuns: 40 },
    );
  });

  it('with changed bytes decodes or is refused with a typed error', async () => {
    const bytes = await halves(64, 64).jpeg().toBuffer();
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (i, flip) => {
        const changed = Uint8Array.from(bytes);
        changed[i]! ^= flip;
        await decodePicture(changed).catch((error: unknown) => {
          expect(error).toBeInstanceOf(ClmexError);
        });
      }),
      { numRuns: 60 },
    ); // prettier-ignore
  });

  it('is no text', async () => {
    const answer = decodePicture(new TextEncoder().encode('hello'), 'note.txt');
    await expect(answer).rejects.toMatchObject({ code: 'invalid-file', field: 'note.txt' });
  });
});
