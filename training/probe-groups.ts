import { evaluateScores, type EvaluatedGroup, type Evaluation } from './evaluate.js';
import { crossValidate, foldsOf, type FoldProtocol } from './probe.js';

export interface ProbeGroupsOptions {
  readonly folds: number;
  readonly protocol: FoldProtocol;
  readonly seed: number;
}

/**
 * How well a linear head reads the labels from frozen embeddings: every picture is named by a probe
 * that saw none of its fold. Pictures without a face count as wrong.
 */
export function probeGroups(
  labels: readonly string[],
  groups: readonly EvaluatedGroup[],
  { folds, protocol, seed }: ProbeGroupsOptions,
): Evaluation {
  const views = groups.flatMap(({ personId, label, views: own }) =>
    own.map((view) => ({ personId, label, view })),
  );
  const examples = views.flatMap(({ personId, label, view }) =>
    view.embedding ? [{ personId, label, vector: view.embedding }] : [],
  );
  const fold = foldsOf(
    examples.map(({ personId }) => personId),
    folds,
    seed,
    protocol,
  );
  const predicted = crossValidate(examples, fold, { labels: labels.length });
  let next = 0;
  return evaluateScores(
    labels,
    views.map(({ label, view }) => ({
      label,
      view,
      probabilities: view.embedding && predicted[next++],
    })),
  );
}
