import { describe, expect, it } from 'vitest';
import { EXPRESSION_LABELS } from '../../core/types.js';
import { createModel, withPrior, type Model } from '../../encoder/model.js';
import { VIEW_FEATURES } from '../../encoder/fusion.js';
import type { Manifest } from '../../encoder/manifest.js';
import { zeros } from '../../encoder/network.js';
import { DEFAULT_MASK } from '../../encoder/normalize.js';
import { evaluate, type EvaluatedGroup, type EvaluatedView } from '../../training/evaluate.js';
import { probeGroups } from '../../training/probe-groups.js';
import { statisticsOf, trainingStatistics, withStatistics } from '../../training/statistics.js';

const labels = EXPRESSION_LABELS.slice(0, 2);
const manifest = {
  labels: [...labels],
  network: { parameters: 1, embedding: 2 },
  crop: { size: 64, eyeDistancePx: 24, eyeLinePx: 21, mask: DEFAULT_MASK },
  temperatures: [1],
  prior: [0.5, 0.5],
  training: { embeddingMean: [0, 0] },
} as unknown as Manifest;
/** One prototype a label: along +x and along −x. */
const model: Model = createModel(manifest, {
  graph: { name: 'none', inputs: [], outputs: [], layers: [] },
  head: {
    prototypes: { shape: [2, 2], data: Float32Array.from([1, 0, -1, 0]) },
    prototypesPerLabel: 1,
    scale: 2,
    query: zeros([2]),
    viewBias: zeros([VIEW_FEATURES]),
  },
});

const at = (angleDeg: number, yawDeg = 0, quality = 1) => ({
  yawDeg, pitchDeg: 0, rollDeg: 0, quality,
  embedding: Float32Array.from([Math.cos((angleDeg * Math.PI) / 180), Math.sin((angleDeg * Math.PI) / 180)]),
}); // prettier-ignore
const blind = (yawDeg: number) => ({ yawDeg, pitchDeg: 0, rollDeg: 0, quality: 0 });

describe('evaluation', () => {
  const groups: EvaluatedGroup[] = [
    { personId: 'a', label: 0, views: [at(10), at(20, 50), at(100, 80, 0.2)] },
    { personId: 'b', label: 1, views: [at(170), at(85, -65), blind(70)] },
  ];
  const result = evaluate(model, groups);

  it('scores every view alone, one without a face as wrong', () => {
    expect(result).toMatchObject({ n: 6, found: 5 });
    expect(result.accuracy).toBeCloseTo(3 / 6, 12);
    expect(result.confusion).toEqual([[2, 1, 0], [1, 1, 1]]); // prettier-ignore
  });

  it('sorts views into bins of |yaw|', () => {
    expect(Object.fromEntries(Object.entries(result.perYaw).map(([bin, { n, accuracy }]) => [bin, [n, accuracy]]))).toEqual({
      '0-15': [2, 1], '45-60': [1, 1], '60-75': [2, 0], '75-90': [1, 0],
    }); // prettier-ignore
  });

  it('fuses groups by their number of views, with baselines beside', () => {
    expect(Object.keys(result.byViews)).toEqual(['1', '2', '3']);
    expect(result.byViews['2']).toMatchObject({ n: 4, accuracy: 1 });
    expect(result.byViews['3']!.n).toBe(1);
    expect(result.byViews['3']!.baselines.bestView!.accuracy).toBe(1);
    expect(result.byViews['3']!.baselines.meanSingleView!.accuracy).toBeCloseTo(2 / 3, 12);
  });

  it('says how far the views of one moment disagree', () => {
    const agreed = evaluate(model, [{ personId: 'a', label: 0, views: [at(10), at(10, 50)] }]);
    expect(agreed.viewDivergence).toBeCloseTo(0, 6);
    expect(result.viewDivergence).toBeGreaterThan(0.05);
    const alone = evaluate(model, [{ personId: 'a', label: 0, views: [at(10)] }]);
    expect(alone.viewDivergence).toBeUndefined();
  });

  it('follows another prior', () => {
    const sceptic = evaluate(model, groups, { prior: [0.001, 0.999] });
    expect(sceptic.perClass[labels[0]!]!.recall).toBe(0);
    const biased = evaluate(withPrior(model, [0.001, 0.999]), groups);
    expect(biased).toMatchObject({ confusion: sceptic.confusion, ece: sceptic.ece });
  });

  it('probes frozen embeddings, every picture by people it has not seen', () => {
    const people = Array.from({ length: 12 }, (_, i): EvaluatedGroup => ({
      personId: `p${i}`,
      label: i % 2,
      views: [at(i % 2 === 0 ? 70 + i : 110 - i), blind(0)],
    }));
    const probed = probeGroups(labels, people, { folds: 3, protocol: 'subject-disjoint', seed: 1 });
    expect(probed).toMatchObject({ n: 24, found: 12 });
    expect(probed.accuracy).toBe(0.5);
    expect(probed.byViews['1']).toMatchObject({ n: 12, accuracy: 1 });
  });

  it('names groups of several views by all of them, and says what few labels would give', () => {
    const turned = Array.from({ length: 16 }, (_, i): EvaluatedGroup => ({
      personId: `p${i}`,
      label: i % 2,
      views: [at(i % 2 === 0 ? 60 + i : 120 - i), at(90 + (i % 5) - 2)],
    }));
    const limits = { shots: [2], shares: [50, 100], draws: 3 };
    const probed = probeGroups(labels, turned, { folds: 4, protocol: 'subject-disjoint', seed: 1, limits }); // prettier-ignore
    expect(probed).toMatchObject({ protocol: 'subject-disjoint', folds: 4 });
    expect(probed.byViews['2']!.accuracy).toBe(1);
    expect(probed.byViews['2']!.accuracy).toBeGreaterThan(probed.accuracy);
    expect(Object.keys(probed.labelShares!)).toEqual(['50', '100']);
    expect(probed.shots!['2']).toMatchObject({ draws: 3 });
    expect(probed.labelShares!['100']!.accuracy.mean).toBeCloseTo(probed.accuracy, 1);
    expect(probed.shots!['2']!.accuracy.deviation).toBeGreaterThanOrEqual(0);
  });

  it('moves a site’s embeddings to where the training’s lay', () => {
    const turned: EvaluatedGroup[] = groups.map((group) => ({
      ...group,
      views: group.views.map((view: EvaluatedView) => ({
        ...view,
        embedding: view.embedding?.map((value, d) => (d === 0 ? value + 3 : value)),
      })),
    }));
    const seen = turned.flatMap(({ views }) =>
      views.flatMap(({ embedding }) => (embedding ? [embedding] : [])),
    );
    const shifted = evaluate(model, turned);
    const adapted = evaluate(
      withStatistics(model, statisticsOf(seen), trainingStatistics(model)),
      turned,
    );
    expect(shifted.perClass[labels[1]!]!.recall).toBe(0);
    expect(adapted.accuracy).toBeGreaterThan(shifted.accuracy);
  });
});
