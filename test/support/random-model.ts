import { EXPRESSION_LABELS } from '../../core/types.js';
import { DEFAULT_CROP } from '../../encoder/crop.js';
import { VIEW_FEATURES } from '../../encoder/fusion.js';
import { buildNetwork, drawn, zeros, type NetworkSpec } from '../../encoder/network.js';
import { DEFAULT_MASK } from '../../encoder/normalize.js';
import { saveModel } from '../../encoder/package.js';
import { Random } from '../../encoder/random.js';

/** Narrow, so that a test that needs any valid model does not wait for it. */
export const TINY_NETWORK: NetworkSpec = {
  name: 'tiny',
  size: 64,
  widths: [4, 8, 8, 8],
  blocks: [0, 0, 1, 0],
  squeeze: 4,
  embedding: 16,
};

/** Writes a valid, untrained model package: scores mean nothing, everything else is real. */
export async function writeRandomModel(
  directory: string,
  { seed = 1, network = TINY_NETWORK }: { seed?: number; network?: NetworkSpec } = {},
): Promise<string> {
  const random = new Random(seed);
  const prototypesPerLabel = 3;
  const rows = EXPRESSION_LABELS.length * prototypesPerLabel;
  const prototypes = drawn(random, [rows, network.embedding], 1);
  for (let row = 0; row < rows; row++) {
    const vector = prototypes.data.subarray(row * network.embedding, (row + 1) * network.embedding);
    const length = Math.hypot(...vector);
    vector.forEach((value, i) => (vector[i] = value / length));
  }
  await saveModel(
    directory,
    {
      name: `random-${network.name}`,
      labels: [...EXPRESSION_LABELS],
      crop: { ...DEFAULT_CROP, mask: DEFAULT_MASK },
      temperatures: [1.2, 1, 0.9],
      prior: EXPRESSION_LABELS.map(() => 1 / EXPRESSION_LABELS.length),
      training: { kind: 'none', seed },
      table: {},
    },
    {
      graph: buildNetwork(network, seed),
      head: {
        prototypes,
        prototypesPerLabel,
        scale: 8,
        query: drawn(random, [network.embedding], 0.5),
        viewBias: zeros([VIEW_FEATURES]),
      },
    },
  );
  return directory;
}
