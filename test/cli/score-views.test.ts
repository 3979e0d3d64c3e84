import { describe, expect, it } from 'vitest';
import { ViewsReport } from '../../cli/score-views.js';
import type { ExpressionScores, Face } from '../../core/types.js';
import type { Model } from '../../encoder/index.js';
import type { EmbeddedGroup } from '../../runtime/index.js';

/** A model that says what the embedding says. */
const echo = {
  manifest: { labels: ['neutral', 'happiness'] },
  fuse: ([embedding]: readonly Float32Array[]) => ({
    probabilities: [...embedding!],
    weights: [1],
  }),
} as unknown as Model;

function groupOf(views: Readonly<Record<string, readonly number[]>>): EmbeddedGroup {
  const faces = Object.keys(views).map((cameraId) => ({ cameraId, pose: {}, quality: 1 }) as Face);
  const embeddings = Object.values(views).map((vector) => ({ vector: Float32Array.from(vector) }));
  return { group: { faces }, embeddings } as unknown as EmbeddedGroup;
}

describe('how far the cameras of a rig agree', () => {
  it('is nothing between equal views and ln 2 between two that are sure of different labels', () => {
    const report = new ViewsReport();
    const scores = [{ top: 'neutral' } as ExpressionScores];
    report.push({ groups: [groupOf({ left: [1, 0], right: [1, 0] })], scores }, echo);
    expect(report.result().divergence).toBe(0);
    report.push({ groups: [groupOf({ left: [1, 0], right: [0, 1] })], scores }, echo);
    expect(report.result()).toEqual({
      groups: 2,
      divergence: Math.LN2 / 2,
      fused: { neutral: 2 },
      cameras: { left: { neutral: 2 }, right: { happiness: 1, neutral: 1 } },
    });
  });

  it('is not known from people whom one camera sees; they are counted', () => {
    const report = new ViewsReport();
    report.push({ groups: [groupOf({ left: [0.4, 0.6] })], scores: [] }, echo);
    expect(report.result()).toEqual({
      groups: 0,
      divergence: undefined,
      fused: {},
      cameras: { left: { happiness: 1 } },
    });
  });
});
