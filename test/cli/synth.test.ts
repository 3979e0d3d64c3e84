import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { projectPoint } from '../../calibration/projection.js';
import { readRig } from '../../calibration/rig.js';
import { register } from '../../cli/synth.js';
import { apply, add, type Mat3, type Vec3 } from '../../core/geometry.js';
import { readRecording, readTruth, summarizeRecording } from '../../runtime/recording/index.js';
import { openRendered } from '../../training/dataset/rendered.js';
import { unpackPoints, type TruthRecord } from '../../training/scene/truth-record.js';
import { describeWithData, sharedData } from '../support/shared-data.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'synth-'));
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(dir, { recursive: true });
});

/** Runs `clmex synth …` and returns what it printed. */
async function synth(...args: string[]): Promise<unknown> {
  const printed: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed.push(String(text));
    return true;
  });
  const program = new Command('clmex').exitOverride();
  register(program);
  try {
    await program.parseAsync(['synth', ...args, '--json'], { from: 'user' });
  } finally {
    write.mockRestore();
  }
  return JSON.parse(printed.join(''));
}

describe('clmex synth', () => {
  it.each([
    ['--subjects', '9', /1 to 4/],
    ['--cameras', '10', /2 to 8 angles/],
    ['--split', 'all', /train, validation, test/],
    ['--people', 'nobody', /ids such as/],
    ['--quality', 'high', /30 to 95/],
  ])('says what is allowed for %s %s', async (option, value, message) => {
    const out = join(dir, 'x.mcap');
    await expect(synth('recording', '--out', out, option, value)).rejects.toThrow(message);
  });

  it('says where it looked for meshes that are not there, and leaves nothing', async () => {
    const set = join(dir, 'set');
    const failed = synth('dataset', '--out', set, '--data', join(dir, 'nowhere'));
    await expect(failed).rejects.toMatchObject({ code: 'not-found' });
    expect(await readdir(dir)).not.toContain('set');
  });
});

describeWithData('clmex synth with meshes and portraits', () => {
  it('writes a recording whose truth lies on the pictures its calibration describes', async () => {
    const out = join(dir, 'two.mcap');
    const small = ['--seconds', '1', '--fps', '5', '--width', '320', '--height', '240'];
    const result = await synth(
      'recording', '--out', out, '--data', sharedData(), '--cameras=-30,30', ...small,
    ); // prettier-ignore
    expect(result).toMatchObject({ out });
    const { cameras, notes, truths } = await summarizeRecording(out);
    expect(cameras.map(({ id }) => id)).toEqual(['camera-1', 'camera-2']);
    expect(cameras.every(({ frames, width }) => frames >= 3 && width === 320)).toBe(true);
    expect(notes['attribution']).toContain('CC-BY');
    expect(truths).toBe(5);
    const rig = await readRig(join(dir, 'two.calibration.json'));
    for (const { value } of await readTruth(out)) {
      const { people } = value as TruthRecord;
      expect(people).toHaveLength(2);
      for (const { head, landmarks } of people) {
        const points = unpackPoints(landmarks);
        const [right, left] = [33, 263].map((i) => {
          const local = [...points.subarray(3 * i, 3 * i + 3)] as unknown as Vec3;
          const world = add(
            apply(head.rotation as unknown as Mat3, local),
            head.position as unknown as Vec3,
          );
          return projectPoint(rig.cameras['camera-1']!, world)!;
        });
        // Outer eye corners: in the picture, the person's right one on its left.
        expect(left![0]).toBeGreaterThan(right![0]);
        for (const [x, y] of [left!, right!]) {
          expect(x > 0 && x < 320 && y > 0 && y < 240).toBe(true);
        }
      }
    }
    expect((await readdir(dir)).sort()).toEqual(['two.calibration.json', 'two.mcap']);
    let late = 0;
    for await (const entry of readRecording(out)) {
      if (entry.kind === 'frame')
        late += Number(entry.frame.arrivedAtMs > entry.frame.trueCapturedAtMs!);
    }
    expect(late).toBe(cameras.reduce((sum, { frames }) => sum + frames, 0));
  }, 120_000);

  it('writes a training set, refuses to mix it with another, and resumes it', async () => {
    const out = join(dir, 'set');
    const options = ['dataset', '--out', out, '--data', sharedData(), '--views', '2', '--captures'];
    expect(await synth(...options, '2')).toMatchObject({ captures: 2, views: 4 });
    await expect(synth(...options, '2')).rejects.toMatchObject({ field: '--out' });
    expect(await synth(...options, '2', '--resume')).toMatchObject({ captures: 0 });
    for (const [field, ...other] of [
      ['--views', '2', '--views', '3'],
      ['--captures', '4'],
    ]) {
      const resumed = synth(...options, ...other, '--resume');
      await expect(resumed).rejects.toMatchObject({ field, code: 'invalid-argument' });
    }
    const set = await openRendered(out);
    expect(set.groups).toBeGreaterThan(0);
    const { views, shapes } = set.read(0);
    expect(shapes).toHaveLength(set.shapeNames.length);
    // A face, not a flat field.
    const { crop } = views[0]!;
    const mean = crop.reduce((sum, value) => sum + value, 0) / crop.length;
    expect(crop.reduce((sum, value) => sum + (value - mean) ** 2, 0) / crop.length).toBeGreaterThan(
      100,
    );
  }, 120_000);
});
