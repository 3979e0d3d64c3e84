import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { writeMap } from '../../cli/evaluate-map.js';
import { Random } from '../../encoder/random.js';
import type { EvaluatedGroup } from '../../training/index.js';

const random = new Random(2);
const groups = (count: number): EvaluatedGroup[] =>
  Array.from({ length: count }, (_, i) => ({
    personId: `p${i % 5}`,
    label: i % 2,
    views: [-80, 10].map((yawDeg) => ({
      ...{ yawDeg, pitchDeg: 0, rollDeg: 0, quality: 1 },
      embedding: Float32Array.from({ length: 6 }, () => random.normal() + (i % 2) * 4),
    })),
  }));

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'clmex-map-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe('a drawn map', () => {
  it('shows each face by label, person and yaw, and names labels as text', async () => {
    const path = join(await temporaryFolder(), 'map.svg');
    await writeMap(path, groups(20), ['calm', '<loud>'], 1);
    const svg = await readFile(path, 'utf8');
    expect(svg.match(/<circle [^>]*r="2.2"/g)).toHaveLength(3 * 40);
    expect(svg).toContain('&lt;loud&gt;');
    expect(svg).toContain('person (5)');
  });

  it('refuses too few faces and leaves no file behind', async () => {
    const folder = await temporaryFolder();
    await expect(writeMap(join(folder, 'map.svg'), groups(5), ['a', 'b'], 1)).rejects.toMatchObject(
      { code: 'invalid-argument', field: '--map', value: 10 },
    );
    expect(await readdir(folder)).toEqual([]);
  });
});
