import { readdir } from 'node:fs/promises';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { createEngine } from '../../../runtime/engine/engine.js';
import { FaceStage } from '../../../runtime/faces/faces.js';
import { decodePicture } from '../../../runtime/image.js';
import { describeWithData, sharedData } from '../../support/shared-data.js';

describeWithData('a picture of a crowd', () => {
  it('gives every one of 24 faces, though the whole picture is too coarse for most', async () => {
    const folder = sharedData('london', 'smiling');
    const [columns, rows, side] = [6, 4, { width: 320, height: 270 }];
    const names = (await readdir(folder)).sort().slice(0, columns * rows);
    const faces = names.map(async (name, i) => ({
      input: await sharp(`${folder}/${name}`)
        .resize({ ...side, fit: 'cover' })
        .toBuffer(),
      left: (i % columns) * side.width,
      top: Math.floor(i / columns) * side.height,
    }));
    const crowd = await sharp({ create: { width: 1920, height: 1080, channels: 3, background: '#777' } })
      .composite(await Promise.all(faces)).png().toBuffer(); // prettier-ignore
    const engine = await createEngine({ kind: 'onnxruntime', threads: 1 });
    const stage = await FaceStage.create({ engine, detector: 'auto', maxFaces: 64 });
    const picture = await decodePicture(crowd);
    const found = await stage.still({ cameraId: 'crowd', capturedAtMs: 0, ...picture });
    const cells = found.map(({ box: { x, y, width, height } }) => {
      const column = Math.floor((x + width / 2) / side.width);
      return Math.floor((y + height / 2) / side.height) * columns + column;
    });
    expect(cells.sort((a, b) => a - b)).toEqual(names.map((_, i) => i));
    await stage.close();
  });
});
