import { Random } from '../encoder/random.js';
import { metricsOf, type Scored } from './metrics.js';
import { fitLinearProbe, foldsOf, type FoldProtocol, type ProbeExample } from './probe.js';

/** Which tables to make. */
export interface Limits {
  /** Labels a class, e.g. 5, 10, 20, 50. */
  readonly shots?: readonly number[] | undefined;
  /** Shares of each class's labels, in percent. */
  readonly shares?: readonly number[] | undefined;
  /** Draws of folds and labels. */
  readonly draws: number;
}

export interface Spread {
  readonly mean: number;
  /** Over the draws, with n − 1; 0 for one draw. */
  readonly deviation: number;
}

export interface LimitedRow {
  readonly draws: number;
  readonly accuracy: Spread;
  readonly balancedAccuracy: Spread;
}

export interface LabelTables {
  readonly shots?: Readonly<Record<string, LimitedRow>> | undefined;
  /** By percent of the labels. */
  readonly labelShares?: Readonly<Record<string, LimitedRow>> | undefined;
}

interface Protocol extends Limits {
  readonly folds: number;
  readonly protocol: FoldProtocol;
  readonly seed: number;
}

/**
 * Linear heads that see few labels: in each draw folds are made anew, each fold's head sees that many
 * labels of the other folds, and every example is named by the head that saw none of its fold.
 * @param unseen labels of the pictures where no face was found: these count as wrong.
 */
export function limitedLabels(
  labels: readonly string[],
  examples: readonly ProbeExample[],
  unseen: readonly number[],
  protocol: Protocol,
): LabelTables {
  const { shots, shares } = protocol;
  const row = (keep: (size: number) => number): LimitedRow => {
    const draws = Array.from({ length: protocol.draws }, (_, draw) =>
      oneDraw(labels, examples, unseen, keep, { ...protocol, seed: protocol.seed + draw }),
    );
    return {
      draws: draws.length,
      accuracy: spread(draws.map(({ accuracy }) => accuracy)),
      balancedAccuracy: spread(draws.map(({ balancedAccuracy }) => balancedAccuracy)),
    };
  };
  return {
    ...(shots && { shots: Object.fromEntries(shots.map((count) => [count, row(() => count)])) }),
    ...(shares && {
      labelShares: Object.fromEntries(
        shares.map((share) => [share, row((size) => Math.max(1, Math.round((share / 100) * size)))]), // prettier-ignore
      ),
    }),
  };
}

function oneDraw(
  labels: readonly string[],
  examples: readonly ProbeExample[],
  unseen: readonly number[],
  keep: (size: number) => number,
  { folds, protocol, seed }: Protocol,
) {
  const people = examples.map(({ personId }) => personId);
  const fold = foldsOf(people, folds, seed, protocol);
  const random = new Random(seed);
  const scored: Scored[] = unseen.map((label) => ({ label, probabilities: undefined }));
  for (let held = 0; held < folds; held++) {
    const outside = examples.filter((_, i) => fold[i] !== held);
    const seen = labels.flatMap((_, label) => {
      const own = random.shuffle(outside.filter((example) => example.label === label));
      return own.slice(0, keep(own.length));
    });
    const probe = fitLinearProbe(seen, { labels: labels.length });
    examples.forEach(({ vector, label }, i) => {
      if (fold[i] === held) scored.push({ label, probabilities: probe.predict(vector) });
    });
  }
  return metricsOf(labels, scored);
}

function spread(values: readonly number[]): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(square / (values.length - 1)) : 0 };
}
