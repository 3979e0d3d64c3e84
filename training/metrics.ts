/** One scored example. */
export interface Scored {
  readonly label: number;
  /** Probability a label; undefined where no face was found, which counts as wrong. */
  readonly probabilities: readonly number[] | undefined;
}

export interface ClassMetrics {
  readonly n: number;
  /** Share of this label's examples named so. */
  readonly recall: number;
  /** Share of examples named so that are; 0 where none was named. */
  readonly precision: number;
}

export interface Metrics {
  readonly n: number;
  readonly found: number;
  readonly accuracy: number;
  /** Mean recall over the labels that occur. */
  readonly balancedAccuracy: number;
  readonly perClass: Readonly<Record<string, ClassMetrics>>;
  /** Expected calibration error of the found examples, 15 equal bins (Guo et al. 2017). */
  readonly ece: number;
  /** Rows truth, columns answer; a last column for "no face". */
  readonly confusion: readonly (readonly number[])[];
}

const CALIBRATION_BINS = 15;

export function metricsOf(labels: readonly string[], examples: readonly Scored[]): Metrics {
  const none = labels.length;
  const confusion = labels.map(() => new Array<number>(none + 1).fill(0));
  for (const { label, probabilities } of examples) {
    confusion[label]![probabilities ? argmax(probabilities) : none]!++;
  }
  const perClass = labels.map((name, i) => {
    const n = total(confusion[i]!);
    const named = total(confusion.map((row) => row[i]!));
    const right = confusion[i]![i]!;
    return [
      name,
      { n, recall: n > 0 ? right / n : 0, precision: named > 0 ? right / named : 0 },
    ] as const;
  });
  const occurring = perClass.filter(([, { n }]) => n > 0);
  const right = total(confusion.map((row, i) => row[i]!));
  return {
    n: examples.length,
    found: examples.filter(({ probabilities }) => probabilities).length,
    accuracy: right / Math.max(1, examples.length),
    balancedAccuracy:
      total(occurring.map(([, { recall }]) => recall)) / Math.max(1, occurring.length),
    perClass: Object.fromEntries(perClass),
    ece: calibrationError(examples),
    confusion,
  };
}

/** Σ over bins of confidence: share of examples × |accuracy − mean confidence|. */
export function calibrationError(examples: readonly Scored[], bins = CALIBRATION_BINS): number {
  const sums = Array.from({ length: bins }, () => ({ right: 0, confidence: 0 }));
  let n = 0;
  for (const { label, probabilities } of examples) {
    if (!probabilities) continue;
    const best = argmax(probabilities);
    const confidence = probabilities[best]!;
    const bin = sums[Math.min(bins - 1, Math.floor(confidence * bins))]!;
    bin.right += best === label ? 1 : 0;
    bin.confidence += confidence;
    n++;
  }
  return n === 0 ? 0 : total(sums.map(({ right, confidence }) => Math.abs(right - confidence))) / n;
}

/** Mean −log p of the truth over the found examples. */
export function logLoss(examples: readonly Scored[]): number {
  const losses = examples.flatMap(({ label, probabilities }) =>
    probabilities ? [-Math.log(Math.max(1e-12, probabilities[label]!))] : [],
  );
  return total(losses) / Math.max(1, losses.length);
}

/** Mean {@link jensenShannon} of those with several distributions; undefined where there is none. */
export function meanDivergence(
  groups: readonly (readonly (readonly number[])[])[],
): number | undefined {
  const several = groups.filter(({ length }) => length > 1).map(jensenShannon);
  if (several.length === 0) return undefined;
  return several.reduce((sum, one) => sum + one, 0) / several.length;
}

/** Jensen–Shannon divergence of several distributions, in nats: how far views disagree. */
export function jensenShannon(distributions: readonly (readonly number[])[]): number {
  const count = distributions.length;
  const width = distributions[0]?.length ?? 0;
  let divergence = 0;
  for (let i = 0; i < width; i++) {
    const values = distributions.map((distribution) => distribution[i]!);
    const mean = total(values) / count;
    for (const value of values)
      if (value > 0) divergence += (value * Math.log(value / mean)) / count;
  }
  return divergence;
}

export function argmax(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
