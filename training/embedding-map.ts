import { Random } from '../encoder/random.js';

/** Neighbours that shape a point's surroundings, and how tightly they are packed: UMAP's defaults. */
const [NEIGHBOURS, LEAST_DISTANCE] = [15, 0.1];

/**
 * Places in the plane so that what is near in the embedding space stays near (UMAP, McInnes, Healy and
 * Melville 2018); distances between far points mean nothing.
 * @param vectors unit vectors, more than 15. @returns one point a vector, each axis 0 to 1.
 */
export async function mapEmbeddings(
  vectors: readonly Float32Array[],
  seed: number,
): Promise<[x: number, y: number][]> {
  const { UMAP } = await import('umap-js');
  const random = new Random(seed);
  const umap = new UMAP({
    nNeighbors: NEIGHBOURS,
    minDist: LEAST_DISTANCE,
    random: () => random.uniform(),
  });
  const placed = await umap.fitAsync(vectors.map((vector) => [...vector]));
  const [x, y] = [0, 1].map((axis) => unitRange(placed.map((point) => point[axis]!)));
  return placed.map((_, i) => [x![i]!, y![i]!]);
}

function unitRange(values: readonly number[]): number[] {
  const low = values.reduce((least, value) => Math.min(least, value), Infinity);
  const high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  return values.map((value) => (value - low) / (high - low || 1));
}
