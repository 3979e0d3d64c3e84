import { softmax } from '../encoder/fusion.js';
import { Random } from '../encoder/random.js';
import {
  evaluateScores, summary, viewSubsets,
  type EvaluatedGroup, type EvaluatedView, type Evaluation, type ScoredView, type ViewsRow,
} from './evaluate.js'; // prettier-ignore
import { limitedLabels, type LabelTables, type Limits } from './limited-labels.js';
import { meanDivergence } from './metrics.js';
import { neighbourAccuracy } from './neighbours.js';
import { crossValidate, foldsOf, type FoldProtocol, type ProbeExample } from './probe.js';

export interface ProbeGroupsOptions {
  readonly folds: number;
  readonly protocol: FoldProtocol;
  readonly seed: number;
  /** Tables of heads that see few labels, beside the one that sees all. */
  readonly limits?: Limits | undefined;
}

export interface ProbeEvaluation extends Evaluation, LabelTables {
  readonly protocol: FoldProtocol;
  readonly folds: number;
  /** Share of faces named right by a vote of the nearest ones of other people. */
  readonly knn: number;
}

/**
 * How well a linear head reads the labels from frozen embeddings: every picture is named by a probe
 * that saw none of its fold, with balanced class weights. Pictures without a face count as wrong.
 * Groups of several views are named by the mean of their views' log-probabilities.
 */
export function probeGroups(
  labels: readonly string[],
  groups: readonly EvaluatedGroup[],
  { folds, protocol, seed, limits }: ProbeGroupsOptions,
): ProbeEvaluation {
  const views = groups.flatMap(({ personId, label, views: own }) =>
    own.map((view) => ({ personId, label, view })),
  );
  const examples = views.flatMap(({ personId, label, view }): ProbeExample[] =>
    view.embedding ? [{ personId, label, vector: view.embedding }] : [],
  );
  const people = examples.map(({ personId }) => personId);
  const fold = foldsOf(people, folds, seed, protocol);
  const predicted = crossValidate(examples, fold, { labels: labels.length });
  let next = 0;
  const scored = views.map(({ label, view }): ScoredView => {
    const probabilities = view.embedding && predicted[next++];
    return { label, view, probabilities };
  });
  const byView = new Map(scored.map((one) => [one.view, one.probabilities]));
  const unseen = views.flatMap(({ label, view }) => (view.embedding ? [] : [label]));
  const tables = limits && limitedLabels(labels, examples, unseen, { ...limits, folds, protocol, seed }); // prettier-ignore
  return {
    protocol,
    folds,
    knn: neighbourAccuracy(examples),
    ...evaluateScores(labels, scored),
    byViews: byNumberOfViews(labels, groups, byView, seed),
    viewDivergence: meanDivergence(groups.map((group) => seenIn(group, byView))),
    ...tables,
  };
}

type Scores = ReadonlyMap<EvaluatedView, readonly number[] | undefined>;

function seenIn({ views }: EvaluatedGroup, scores: Scores): (readonly number[])[] {
  return views.flatMap((view) => {
    const probabilities = scores.get(view);
    return probabilities ? [probabilities] : [];
  });
}

function byNumberOfViews(
  labels: readonly string[],
  groups: readonly EvaluatedGroup[],
  scores: Scores,
  seed: number,
): Record<string, ViewsRow> {
  const random = new Random(seed);
  const seen = groups.map((group) => ({ label: group.label, views: seenIn(group, scores) }));
  const most = seen.reduce((largest, { views }) => Math.max(largest, views.length), 0);
  return Object.fromEntries(
    Array.from({ length: most }, (_, i) => i + 1).map((count) => {
      const subsets = viewSubsets(seen, count, random);
      const fused = subsets.map(({ label, views }) => ({ label, probabilities: meanLog(views) }));
      const single = subsets.flatMap(({ label, views }) =>
        views.map((probabilities) => ({ label, probabilities })),
      );
      const baselines = { meanSingleView: summary(labels, single) };
      return [count, { ...summary(labels, fused), baselines }];
    }),
  );
}

function meanLog(views: readonly (readonly number[])[]): number[] {
  const sums = views[0]!.map((_, c) =>
    views.reduce((sum, view) => sum + Math.log(Math.max(1e-12, view[c]!)), 0),
  );
  return softmax(sums.map((sum) => sum / views.length));
}
