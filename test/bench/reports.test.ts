import { describe, expect, it } from 'vitest';
import { compareReports, unlike } from '../../cli/bench-compare.js';
import { pageOf } from '../../cli/bench-html.js';
import { Meter } from '../../cli/bench-meter.js';
import { operationsOf, peakGraph } from '../../cli/bench-operations.js';
import type { RuntimeStatus } from '../../core/protocol.js';
import type { ExpressionScores } from '../../core/types.js';
import { buildNetwork, NETWORKS } from '../../encoder/network.js';

const course = (latencies: readonly number[]) => ({
  captureToScoreMs: { p50: latencies[0]! },
  samples: latencies.map((p50) => ({ captureToScoreMs: { p50 } })),
});

describe('comparing two reports', () => {
  it('calls small differences noise and large ones changes', () => {
    const [small] = compareReports({ int8Ms: 1 }, { int8Ms: 1.04 });
    const [large] = compareReports({ int8Ms: 1 }, { int8Ms: 1.3 });
    expect(small).toMatchObject({ name: 'int8Ms', ratio: 1.04, changed: false });
    expect(large).toMatchObject({ name: 'int8Ms', ratio: 1.3, changed: true });
  });

  it('allows more where the seconds of a run differ more', () => {
    const calm = course([20, 20, 20, 20, 20, 20]);
    const restless = course([20, 60, 10, 45, 15, 80]);
    const after = course([26, 26, 26, 26, 26, 26]);
    expect(compareReports(calm, after)[0]).toMatchObject({ changed: true });
    expect(compareReports(restless, after)[0]).toMatchObject({ changed: false });
  });

  it('names numbers by their path and leaves settings out', () => {
    const before = { threads: 1, stagesMs: { faces: { p50: 10 } } };
    const after = { threads: 2, stagesMs: { faces: { p50: 20 } } };
    expect(compareReports(before, after).map(({ name }) => name)).toStrictEqual([
      'stagesMs.faces.p50',
    ]);
  });

  it('calls half a point of a share a change, however noisy the seconds are', () => {
    const restless = course([20, 60, 10, 45, 15, 80]);
    const [cosine] = compareReports({ embeddingCosine: 0.9997, ...restless }, { embeddingCosine: 0.94, ...restless });
    expect(cosine).toMatchObject({ name: 'embeddingCosine', changed: true });
    expect(compareReports({ accuracy: 0.7 }, { accuracy: 0.704 })[0]).toMatchObject({ changed: false });
    expect(compareReports({ droppedFraction: 0 }, { droppedFraction: 0.02 })[0]).toMatchObject({ changed: true });
  }); // prettier-ignore

  it('says what makes two reports unlike', () => {
    const before = { engine: 'a', threads: 1, int8Ms: 2, fp32Ms: 4, samples: [{ second: 1 }] };
    const after = { engine: 'b', threads: 2, int8Ms: 2, fp32Ms: null, samples: [] };
    expect(unlike(before, after)).toStrictEqual({
      settings: [
        { name: 'engine', before: 'a', after: 'b' },
        { name: 'threads', before: '1', after: '2' },
      ],
      onlyInOne: ['fp32Ms'],
    });
  });

  it('refuses reports that have no number in common', () => {
    expect(() => compareReports({ a: 1 }, { b: 2 })).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });
});

describe('a report as a page', () => {
  it('shows whatever text a report holds as text, and loads nothing', () => {
    const page = pageOf({ kind: 'latency', cpu: '<script>alert(1)</script>', framesPerSecond: 60 });
    expect(page).not.toContain('<script');
    expect(page).toContain('&lt;script&gt;');
    expect(page).not.toMatch(/(src|href)=/);
    expect(page).toContain("default-src 'none'");
  });

  it('plots the stages and the course of a run', () => {
    const spread = { p50: 1, p95: 2, p99: 3, max: 4 };
    const samples = [1, 2, 3].map((second) => ({
      second,
      captureToScoreMs: spread,
      frameSets: 15,
      memoryMiB: 300,
      cpuCores: 1.2,
    }));
    const page = pageOf({ captureToScoreMs: spread, stagesMs: { faces: spread }, samples });
    expect(page.match(/<svg/g)).toHaveLength(4);
    expect(page).not.toMatch(/NaN|undefined/);
  });
});

describe('the meter of a live run', () => {
  const status = (frames: number, sets: number, late: number) =>
    ({
      cameras: [{ frames, drops: { late } }],
      drops: {},
      frameSets: { total: sets },
    }) as unknown as RuntimeStatus;

  it('counts what came in after it began, and drops by name', () => {
    const meter = new Meter(() => 1040, status(100, 50, 7));
    const score = { atMs: 1000, stageMs: { faces: 12 } } as unknown as ExpressionScores;
    meter.scores([score, score]);
    meter.scores([]);
    meter.sample();
    const measured = meter.finish(status(300, 150, 9));
    expect(measured.captureToScoreMs).toStrictEqual({ p50: 40, p95: 40, p99: 40, max: 40 });
    expect(measured.stagesMs['faces']!.p50).toBe(12);
    expect(measured.drops).toStrictEqual({ late: 2 });
    expect(measured.droppedFraction).toBe(0.01);
    // A line through one second says nothing of minutes.
    expect(measured.driftMsPerMinute).toBeNull();
    expect(measured.framesPerSecond / measured.frameSetsPerSecond).toBeCloseTo(2, 1);
  });
});

describe('counting operations', () => {
  it('agrees with a count by hand', () => {
    expect(operationsOf(peakGraph().graph) * 256).toBe(2 * 256 * 1024 * 1024);
    // First layer of the small encoder: 32 × 32 places, 16 channels, 9 taps.
    const small = buildNetwork(NETWORKS.small, 1);
    const first = { ...small, layers: small.layers.slice(0, 1), outputs: [] };
    expect(operationsOf(first)).toBe(2 * 32 * 32 * 16 * 9);
  });
});
