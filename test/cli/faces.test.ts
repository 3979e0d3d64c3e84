import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.js';
import { describeWithData, sharedData } from '../support/shared-data.js';

interface Picture {
  readonly image: string;
  readonly width: number;
  readonly height: number;
  readonly more?: boolean;
  readonly overlay?: string;
  readonly faces: {
    readonly score: number;
    readonly box: { x: number; y: number; width: number; height: number };
    readonly keypoints: [number, number][];
    readonly landmarks: [number, number, number][];
    readonly pose: { yawDeg: number; pitchDeg: number; rollDeg: number };
    readonly blendshapes?: Record<string, number>;
  }[];
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'clmex-faces-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const parse = (stdout: string): Picture[] => JSON.parse(stdout) as Picture[];

describe('clmex faces on pictures without a face', () => {
  it('answers with an empty list for a blank picture, be it one pixel small', async () => {
    const pixel = join(folder, 'pixel.png');
    await sharp({ create: { width: 1, height: 1, channels: 3, background: 'red' } }).toFile(pixel);
    const { code, stdout } = await runCli('faces', pixel, '--json');
    expect(code).toBe(0);
    expect(parse(stdout)).toEqual([{ image: pixel, width: 1, height: 1, faces: [] }]);
  });

  it('names the file that is no picture, and the arguments that are missing or wrong', async () => {
    const text = join(folder, 'text.png');
    writeFileSync(text, 'not a picture');
    const broken = await runCli('faces', text, '--json');
    expect(broken.code).toBe(1);
    expect(broken.stderr).toContain('text.png');
    expect((await runCli('faces', '--json')).code).toBe(2);
    expect((await runCli('faces', text, '--threads', '999')).code).toBe(2);
    const overlay = await runCli('faces', text, '--overlay', text);
    expect(overlay.code).toBe(2);
    expect(overlay.stderr).toMatch(/^clmex: --overlay: cannot make the folder/m);
    expect((await runCli('faces', text, '--detector', 'long')).code).toBe(2);
  });
});

describe('clmex faces on several pictures of which some are none', () => {
  it('looks at the others all the same, and tells by code and message what is wrong with each', async () => {
    const [good, bad, drawing] = ['good.png', 'bad.png', 'drawing.svg'].map((name) => join(folder, name)); // prettier-ignore
    await sharp({ create: { width: 9, height: 9, channels: 3, background: 'red' } }).toFile(good!);
    writeFileSync(bad!, 'not a picture');
    writeFileSync(drawing!, '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    const none = join(folder, 'none.png');
    const { code, stdout } = await runCli('faces', bad!, good!, none, folder, drawing!, '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject([
      { image: bad, error: { code: 'invalid-file' } },
      { image: good, faces: [] },
      { image: none, error: { code: 'not-found', message: expect.stringContaining('none.png') as string } },
      { image: folder, error: { code: 'not-found', message: expect.stringContaining('is a folder') as string } },
      { image: drawing, error: { code: 'invalid-file', message: expect.stringContaining('svg') as string } },
    ]); // prettier-ignore
  });
});

describeWithData('clmex faces on a portrait', () => {
  const portrait = sharedData('mediapipe', 'business-person.png');

  it('gives box, keypoints, landmarks and pose in pixels of the upright picture', async () => {
    const { code, stdout } = await runCli('faces', portrait, '--json');
    expect(code).toBe(0);
    const [picture] = parse(stdout);
    expect(picture).toMatchObject({ image: portrait, width: 958, height: 1358 });
    expect(picture!.faces).toHaveLength(1);
    const { box, keypoints, landmarks, score } = picture!.faces[0]!;
    expect(score).toBeGreaterThan(0.5);
    expect(keypoints).toHaveLength(6);
    expect(landmarks).toHaveLength(468);
    const inside = landmarks.filter(
      ([x, y]) =>
        x > box.x - box.width &&
        x < box.x + 2 * box.width &&
        y > box.y - box.height &&
        y < box.y + 2 * box.height,
    );
    expect(inside).toHaveLength(468);
  });

  it('sees the same face in a picture that only its EXIF turns upright, and draws it', async () => {
    const lying = join(folder, 'lying.jpg');
    await sharp(portrait).rotate(-90).withMetadata({ orientation: 6 }).jpeg().toFile(lying);
    const drawn = join(folder, 'drawn');
    const { code, stdout } = await runCli('faces', portrait, lying, '--json', '--overlay', drawn);
    expect(code).toBe(0);
    const [upright, turned] = parse(stdout);
    expect([turned!.width, turned!.height]).toEqual([958, 1358]);
    const [a, b] = [upright!.faces[0]!.landmarks, turned!.faces[0]!.landmarks];
    const apart = a.map(([x, y], i) => Math.hypot(x - b[i]![0], y - b[i]![1]));
    expect(apart.reduce((sum, d) => sum + d, 0) / apart.length).toBeLessThan(3);
    expect(readdirSync(drawn)).toHaveLength(2);
  });

  it('never draws over a picture it was given, and says where it drew', async () => {
    const own = join(folder, 'own.png');
    await sharp(portrait).resize({ width: 400 }).png().toFile(own);
    const before = readFileSync(own);
    const { stdout } = await runCli('faces', own, '--json', '--overlay', folder);
    expect(parse(stdout)).toMatchObject([{ overlay: join(folder, 'own-2.png') }]);
    expect(readFileSync(own).equals(before)).toBe(true);
    expect(existsSync(join(folder, 'own-2.png'))).toBe(true);
  });

  it('says where there are more faces than were asked for', async () => {
    const two = join(folder, 'two.png');
    const one = await sharp(portrait).resize({ width: 480 }).png().toBuffer();
    const { height } = await sharp(one).metadata();
    await sharp({ create: { width: 960, height, channels: 3, background: '#777' } })
      .composite([{ input: one, left: 0, top: 0 }, { input: one, left: 480, top: 0 }])
      .toFile(two); // prettier-ignore
    const [all] = parse((await runCli('faces', two, '--json', '--max-faces', '2')).stdout);
    expect([all!.faces.length, all!.more]).toEqual([2, undefined]);
    const [part] = parse((await runCli('faces', two, '--json', '--max-faces', '1')).stdout);
    expect([part!.faces.length, part!.more]).toEqual([1, true]);
  });

  it('offers 478 points and 52 blendshapes with a face_landmarker.task', async () => {
    const task = sharedData('mediapipe', 'face_landmarker.task');
    const { stdout } = await runCli('faces', portrait, '--json', '--landmarks', task);
    const [face] = parse(stdout)[0]!.faces;
    expect(face!.landmarks).toHaveLength(478);
    expect(Object.keys(face!.blendshapes!)).toHaveLength(52);
  });
});
