import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ScoreSummary } from '../../runtime/index.js';
import type { TruthResult } from '../../cli/score-truth.js';
import type { ViewsResult } from '../../cli/score-views.js';
import { runCli } from '../support/cli.js';
import { describeWithData, sharedData } from '../support/shared-data.js';

const SAMPLE = resolve('samples/recordings/two-people.mcap');

interface Line {
  readonly subjectId: string;
  readonly atMs: number;
  readonly scores: Record<string, number>;
  readonly views: { cameraId: string; weight: number }[];
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'clmex-score-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function scored(out: string, ...args: string[]) {
  const path = join(folder, out);
  const { code, stdout, stderr } = await runCli('score', ...args, '--out', path, '--json');
  expect(stderr).not.toMatch(/clmex:/);
  expect(code).toBe(0);
  const text = readFileSync(path, 'utf8');
  const lines = text.trim().split('\n').map((line) => JSON.parse(line) as Line); // prettier-ignore
  const summary = JSON.parse(stdout) as ScoreSummary & { truth?: TruthResult; views: ViewsResult };
  return { summary, text, lines };
}

describe('scoring the sample recording', () => {
  it('follows both people, never mixes them up, and the fused score beats the mean camera', async () => {
    const { summary, text, lines } = await scored('a.jsonl', SAMPLE, '--timings', 'off');
    expect(summary.subjects).toBe(2);
    expect(Object.keys(summary.cameras)).toHaveLength(4);
    const truth = summary.truth!;
    expect(truth.mixedGroups).toBe(0);
    expect(truth.fused.found / truth.fused.n).toBeGreaterThan(0.95);
    const alone = Object.values(truth.cameras).map(({ accuracy }) => accuracy);
    const mean = alone.reduce((sum, value) => sum + value, 0) / alone.length;
    expect(truth.fused.accuracy).toBeGreaterThan(mean);
    expect(sum(Object.values(summary.views.fused))).toBe(summary.scoreCount);
    expect(summary.views.groups).toBe(lines.filter(({ views }) => views.length > 1).length);
    // Seven labels: chance is 0.14.
    expect(truth.fused.balancedAccuracy).toBeGreaterThan(0.3);
    for (const { scores, views } of lines) {
      expect(sum(Object.values(scores))).toBeCloseTo(1, 4);
      expect(sum(views.map(({ weight }) => weight))).toBeCloseTo(1, 4);
    }
    const again = await scored('b.jsonl', SAMPLE, '--timings', 'off');
    expect(again.text).toBe(text);
  });
});

describeWithData('scoring a real four-camera rig', () => {
  it('sees the one person who is there, with cameras mounted on their sides turned upright', async () => {
    const folderOf = (name: string): string => sharedData('caliscope', '4_cam_recording', name);
    const turns = [0, 3, 1, 0];
    const config = join(folder, 'rig.json');
    const cameras = turns.map((rotate, i) => ({
      id: `cam_${i}`,
      source: {
        kind: 'video',
        path: folderOf(`cam_${i}.mp4`),
        timestamps: folderOf(`cam_${i}.timestamps.csv`),
      },
      rotate,
    }));
    writeFileSync(config, JSON.stringify({ cameras }));
    const { summary, lines } = await scored('real.jsonl', '--config', config);
    expect(summary.frameSets.complete / summary.frameSets.total).toBeGreaterThan(0.95);
    expect(summary.subjects).toBe(1);
    expect(summary.scoreCount).toBeGreaterThan(0.9 * summary.frameSets.total);
    for (const [id, { faces, frames }] of Object.entries(summary.cameras)) {
      expect(faces / frames, id).toBeGreaterThan(0.6);
    }
    const fourViews = lines.filter(({ views }) => views.length === 4);
    expect(fourViews.length / lines.length).toBeGreaterThan(0.5);
    const { cameras: labels, divergence } = summary.views;
    const seen = Object.values(labels).flatMap((counts) => Object.values(counts));
    const found = Object.values(summary.cameras).map(({ faces }) => faces);
    expect(sum(seen)).toBe(sum(found) - summary.unplacedFaces);
    // Far below ln 2, where two views are sure of different labels.
    expect(divergence).toBeLessThan(0.35);
  });
});

const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);
