import { fuseViews, temperatureFor, toProbabilities, type FusionView } from '../encoder/fusion.js';
import type { Model } from '../encoder/model.js';
import { Random } from '../encoder/random.js';
import { meanDivergence, metricsOf, type Metrics, type Scored } from './metrics.js';

/** A view to be scored; without an embedding no face was found in it. */
export interface EvaluatedView extends FusionView {
  readonly embedding?: Float32Array | undefined;
  /** Where the data states it; else the measured yaw sorts into bins. */
  readonly trueYawDeg?: number | undefined;
}

export interface EvaluatedGroup {
  readonly personId: string;
  readonly label: number;
  readonly views: readonly EvaluatedView[];
}

export type Summary = Pick<Metrics, 'n' | 'accuracy' | 'balancedAccuracy' | 'ece'>;

/** Ways to score a group without learned fusion. */
export type Baseline = 'meanEmbedding' | 'meanLogProbability' | 'bestView' | 'meanSingleView';

export interface ViewsRow extends Summary {
  /** Those that the way of scoring has. */
  readonly baselines: Readonly<Partial<Record<Baseline, Summary>>>;
}

/** Every view alone, then groups by their number of views. */
export interface Evaluation extends Metrics {
  readonly perYaw: Readonly<Record<string, Summary>>;
  /** Random subsets of that many views of each group that has them. */
  readonly byViews: Readonly<Record<string, ViewsRow>>;
  /** Mean Jensen–Shannon divergence between the single views of a group, nats; 0 is full agreement. Absent where every group is one view. */
  readonly viewDivergence?: number | undefined;
}

const YAW_BINS: readonly (readonly [number, number])[] = [[0, 15], [15, 30], [30, 45], [45, 60], [60, 75], [75, 91]]; // prettier-ignore

/** Of each group's views, for each number of views. */
const SUBSETS = 4;

export interface EvaluateOptions {
  readonly prior?: readonly number[] | undefined;
  readonly seed?: number | undefined;
}

export function evaluate(
  model: Model,
  groups: readonly EvaluatedGroup[],
  { prior, seed = 1 }: EvaluateOptions = {},
): Evaluation {
  const { labels } = model.manifest;
  const singles = groups.flatMap(({ label, views }) =>
    views.map((view) => ({ view, label, probabilities: scoreView(model, view, prior) })),
  );
  return {
    ...evaluateScores(labels, singles),
    byViews: byViews(model, groups, prior, seed),
    viewDivergence: viewDivergence(model, groups, prior),
  };
}

/** A view with its truth and its score, whoever scored it. */
export interface ScoredView extends Scored {
  readonly view: EvaluatedView;
}

/** The tables of single views. */
export function evaluateScores(
  labels: readonly string[],
  singles: readonly ScoredView[],
): Evaluation {
  const perYaw = YAW_BINS.map(([from, to]) => {
    const inside = singles.filter(({ view }) => {
      const yaw = Math.abs(view.trueYawDeg ?? view.yawDeg);
      return yaw >= from && yaw < to;
    });
    return [`${from}-${Math.min(90, to)}`, inside] as const;
  });
  const occurring = perYaw.filter(([, inside]) => inside.length > 0);
  return {
    ...metricsOf(labels, singles),
    perYaw: Object.fromEntries(occurring.map(([name, inside]) => [name, summary(labels, inside)])),
    byViews: {},
  };
}

function scoreView(
  model: Model,
  view: EvaluatedView,
  prior: readonly number[] | undefined,
): number[] | undefined {
  return view.embedding && model.fuse([view.embedding], [view], { prior }).probabilities;
}

function viewDivergence(
  model: Model,
  groups: readonly EvaluatedGroup[],
  prior: readonly number[] | undefined,
): number | undefined {
  return meanDivergence(
    groups.map(({ views }) =>
      views.flatMap((view) => {
        const probabilities = scoreView(model, view, prior);
        return probabilities ? [probabilities] : [];
      }),
    ),
  );
}

type SeenView = EvaluatedView & { readonly embedding: Float32Array };

function byViews(
  model: Model,
  groups: readonly EvaluatedGroup[],
  prior: readonly number[] | undefined,
  seed: number,
): Record<string, ViewsRow> {
  const { labels } = model.manifest;
  const random = new Random(seed);
  const seen = groups.map(({ label, views }) => ({
    label,
    views: views.filter((view): view is SeenView => view.embedding !== undefined),
  }));
  const most = seen.reduce((largest, { views }) => Math.max(largest, views.length), 0);
  return Object.fromEntries(
    Array.from({ length: most }, (_, i) => i + 1).map((count) => {
      const subsets = viewSubsets(seen, count, random);
      const scored = subsets.map(({ label, views }) => ({
        label,
        probabilities: model.fuse(
          views.map(({ embedding }) => embedding),
          views,
          { prior },
        ).probabilities,
      }));
      return [count, { ...summary(labels, scored), baselines: baselines(model, subsets, prior) }];
    }),
  );
}

/** Of each group at most {@link SUBSETS} different sets of `count` of its views, chosen at random. */
export function viewSubsets<T>(
  groups: readonly { readonly label: number; readonly views: readonly T[] }[],
  count: number,
  random: Random,
): { label: number; views: T[] }[] {
  return groups.flatMap(({ label, views }) =>
    random
      .shuffle(combinations(views, count))
      .slice(0, SUBSETS)
      .map((subset) => ({ label, views: subset })),
  );
}

function combinations<T>(items: readonly T[], count: number): T[][] {
  if (count === 0) return [[]];
  return items.flatMap((item, i) =>
    combinations(items.slice(i + 1), count - 1).map((rest) => [item, ...rest]),
  );
}

function baselines(
  model: Model,
  subsets: readonly { label: number; views: readonly SeenView[] }[],
  prior: readonly number[] | undefined,
): Record<Baseline, Summary> {
  const { labels } = model.manifest;
  const assumed = model.manifest.prior;
  const finish = (logits: readonly number[], count: number): number[] =>
    toProbabilities(
      logits,
      temperatureFor(model.manifest.temperatures, count),
      prior ?? assumed,
      assumed,
    );
  const score = (run: (views: readonly SeenView[]) => number[]): Summary =>
    summary(
      labels,
      subsets.map(({ label, views }) => ({ label, probabilities: run(views) })),
    );
  const single = (view: SeenView): number[] => scoreView(model, view, prior)!;
  return {
    meanEmbedding: score((views) =>
      finish(fuseViews(model.head, [meanOf(views)], [views[0]!]).logits, views.length),
    ),
    meanLogProbability: score((views) => {
      const logs = views.map((view) => single(view).map(Math.log));
      return finish(
        labels.map((_, i) => logs.reduce((sum, log) => sum + log[i]!, 0) / views.length),
        1,
      );
    }),
    bestView: score((views) =>
      single(views.reduce((best, view) => (view.quality > best.quality ? view : best))),
    ),
    meanSingleView: summary(
      labels,
      subsets.flatMap(({ label, views }) =>
        views.map((view) => ({ label, probabilities: single(view) })),
      ),
    ),
  };
}

/** The unit vector along the mean. */
function meanOf(views: readonly SeenView[]): Float32Array {
  const sum = new Float32Array(views[0]!.embedding.length);
  for (const { embedding } of views) embedding.forEach((value, i) => (sum[i]! += value));
  const length = Math.hypot(...sum) || 1;
  return sum.map((value) => value / length);
}

export function summary(labels: readonly string[], scored: readonly Scored[]): Summary {
  const { n, accuracy, balancedAccuracy, ece } = metricsOf(labels, scored);
  return { n, accuracy, balancedAccuracy, ece };
}
