import type { ProbeExample } from './probe.js';

const NEIGHBOURS = 10;

/**
 * Share of vectors whose label most of their nearest neighbours bear: {@link NEIGHBOURS} of the
 * largest inner product, of other people only, since a person's own pictures are alike anyhow.
 */
export function neighbourAccuracy(examples: readonly ProbeExample[]): number {
  const right = examples.filter(({ personId, label, vector }) => {
    const votes = new Map<number, number>();
    const near = examples
      .filter((other) => other.personId !== personId)
      .map((other) => ({ label: other.label, similarity: dot(vector, other.vector) }))
      .sort((a, b) => b.similarity - a.similarity)
      .slice(0, NEIGHBOURS);
    for (const one of near) votes.set(one.label, (votes.get(one.label) ?? 0) + 1);
    const [best] = [...votes].sort((a, b) => b[1] - a[1]);
    return best?.[0] === label;
  });
  return right.length / Math.max(1, examples.length);
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
