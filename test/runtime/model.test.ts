import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXPRESSION_LABELS } from '../../core/types.js';
import { parseConfig } from '../../runtime/config.js';
import { configuredModel } from '../../runtime/model.js';
import { writeRandomModel } from '../support/random-model.js';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'clmex-model-'));
  await writeRandomModel(join(folder, 'model'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const camera = { id: 'a', source: { kind: 'video', path: 'a.mp4' } };
const view = { yawDeg: 0, pitchDeg: 0, rollDeg: 0, quality: 1 };
const load = (prior?: Record<string, number>) =>
  configuredModel(parseConfig({ cameras: [camera], model: join(folder, 'model'), prior }));

describe('the configured model', () => {
  it("answers for the site's own share of labels: the odds move by the odds of the priors", async () => {
    const shares = Object.fromEntries(EXPRESSION_LABELS.map((label) => [label, 1]));
    const embedding = new Float32Array(16).fill(0.25);
    const plain = (await load()).fuse([embedding], [view]).probabilities;
    const sited = (await load({ ...shares, neutral: 8 })).fuse([embedding], [view]).probabilities;
    const odds = (p: readonly number[]): number => p[0]! / p[1]!;
    expect(odds(sited) / odds(plain)).toBeCloseTo(8, 3);
    expect(sited[2]! / sited[1]!).toBeCloseTo(plain[2]! / plain[1]!, 5);
  });

  it('names the labels that a prior leaves out, and those that the model does not have', async () => {
    const refused = load({ neutral: 1, joy: 2 });
    await expect(refused).rejects.toMatchObject({ code: 'invalid-config', field: 'prior' });
    await expect(refused).rejects.toThrow(/happiness is missing.*the model has no label joy/);
  });
});
