/**
 * Three numbers that show a collapse before the loss does. Alignment and uniformity after Wang &
 * Isola 2020; variance is the mean over dimensions, 1/d for unit vectors spread evenly, 0 collapsed.
 */
export interface CollapseStatistics {
  /** Mean squared distance of positives; small is good. */
  readonly alignment: number;
  /** log mean exp(−2 distance²) over all pairs; towards −4 is good, 0 is collapsed. */
  readonly uniformity: number;
  readonly variance: number;
}

/** @param embeddings two or more unit vectors. @param groups group a vector; see pairsOf. */
export function collapseStatistics(
  embeddings: readonly Float32Array[],
  groups: readonly number[],
): CollapseStatistics {
  let [near, positives, spread, pairs] = [0, 0, 0, 0];
  for (let i = 0; i < embeddings.length; i++) {
    for (let j = 0; j < i; j++) {
      const distance = squaredDistance(embeddings[i]!, embeddings[j]!);
      spread += Math.exp(-2 * distance);
      pairs++;
      if (groups[i] !== groups[j]) continue;
      near += distance;
      positives++;
    }
  }
  return {
    alignment: near / Math.max(1, positives),
    uniformity: Math.log(spread / Math.max(1, pairs)),
    variance: meanVariance(embeddings),
  };
}

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}

function meanVariance(embeddings: readonly Float32Array[]): number {
  const width = embeddings[0]?.length ?? 0;
  let total = 0;
  for (let d = 0; d < width; d++) {
    let [sum, square] = [0, 0];
    for (const embedding of embeddings) {
      sum += embedding[d]!;
      square += embedding[d]! ** 2;
    }
    total += square / embeddings.length - (sum / embeddings.length) ** 2;
  }
  return total / Math.max(1, width);
}
