import { readdir } from 'node:fs/promises';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createEngine } from '../../../runtime/engine/engine.js';
import { FaceStage } from '../../../runtime/faces/faces.js';
import { decodePicture } from '../../../runtime/image.js';
import { describeWithData, sharedData } from '../../support/shared-data.js';

interface Tile {
  readonly input: Buffer;
  readonly left: number;
  readonly top: number;
}

const FOLDER = ['london', 'smiling'] as const;

/** Portraits in rows: columns × rows of tiles, as a picture. */
async function crowd(columns: number, rows: number, side: { width: number; height: number }) {
  const folder = sharedData(...FOLDER);
  const names = (await readdir(folder)).sort().slice(0, columns * rows);
  const tiles = names.map(async (name, i) => ({
    input: await sharp(`${folder}/${name}`)
      .resize({ ...side, fit: 'cover' })
      .toBuffer(),
    left: (i % columns) * side.width,
    top: Math.floor(i / columns) * side.height,
  }));
  return paste(columns * side.width, rows * side.height, await Promise.all(tiles));
}

const paste = (width: number, height: number, tiles: Tile[]): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: '#777' } })
    .composite(tiles)
    .png()
    .toBuffer();

const portrait = (i: number, width: number): Promise<Buffer> =>
  readdir(sharedData(...FOLDER)).then((names) =>
    sharp(sharedData(...FOLDER, names.sort()[i]!))
      .resize({ width })
      .toBuffer(),
  );

let stage: FaceStage;
beforeAll(async () => {
  const engine = await createEngine({ kind: 'onnxruntime', threads: 1 });
  stage = await FaceStage.create({ engine, detector: 'auto', maxFaces: 100 });
});
afterAll(() => stage.close());

async function boxesIn(file: Buffer, everything = false) {
  const frame = { cameraId: 'crowd', capturedAtMs: 0, ...(await decodePicture(file)) };
  const found = await stage.still(frame, { everything });
  return found.map(({ box: { x, y, width, height } }) => ({ x: x + width / 2, y: y + height / 2 }));
}

describeWithData('a picture of many faces', () => {
  const cases = [
    { columns: 4, rows: 3, side: { width: 320, height: 320 } },
    { columns: 6, rows: 4, side: { width: 320, height: 270 } },
    { columns: 10, rows: 6, side: { width: 192, height: 192 } },
  ];
  for (const { columns, rows, side } of cases) {
    it(`gives each of ${columns * rows} once, whichever way the picture is turned`, async () => {
      const upright = await crowd(columns, rows, side);
      const [width, height] = [columns * side.width, rows * side.height];
      for (const turns of [0, 1, 2, 3]) {
        const boxes = await boxesIn(await sharp(upright).rotate(turns * 90).toBuffer()); // prettier-ignore
        const cells = boxes.map(({ x, y }) => {
          const back = [[x, y], [y, height - x], [width - x, height - y], [width - y, x]][turns] as [number, number]; // prettier-ignore
          return Math.floor(back[1] / side.height) * columns + Math.floor(back[0] / side.width);
        });
        expect(cells.sort((a, b) => a - b)).toEqual(Array.from({ length: columns * rows }, (_, i) => i)); // prettier-ignore
      }
    });
  }

  it('gives faces that are turned differently where everything is asked for', async () => {
    const tiles = [0, 90, 180, 270].map(async (degrees, i) => ({
      input: await sharp(await portrait(i, 480)).rotate(degrees).toBuffer(),
      left: i * 480,
      top: 0,
    })); // prettier-ignore
    expect(await boxesIn(await paste(1920, 480, await Promise.all(tiles)), true)).toHaveLength(4);
  });

  it('gives a small face beside a large one where everything is asked for', async () => {
    const large = { input: await portrait(0, 1080), left: 0, top: 0 };
    const small = { input: await portrait(1, 180), left: 1400, top: 500 };
    const picture = await paste(1920, 1080, [large, small]);
    expect(await boxesIn(picture)).toHaveLength(1);
    expect(await boxesIn(picture, true)).toHaveLength(2);
  });
});
