import { ClmexError } from '../core/errors.js';
import { packNetwork, unpackNetwork, type Archive, type Network } from '../encoder/archive.js';
import { unitInPlace } from './learner.js';

/**
 * Weights between two networks of one structure, as between a run's and those it went on from: what
 * the former learned anew and what the latter kept (Wortsman et al. 2022, arXiv 2109.01903).
 * @param share of `last` in the average, 0 to 1.
 * @throws ClmexError `invalid-argument` where they are built differently.
 */
export function blend(last: Network, other: Network, share: number): Network {
  const [own, given] = [archived(last), archived(other)];
  if (layoutOf(last) !== layoutOf(other)) {
    throw new ClmexError('invalid-argument', 'the two are of different networks', {
      field: 'blend',
      value: other.graph.name,
      allowed: `${last.graph.name} with the same labels, heads and streams`,
    });
  }
  const [a, b] = [own.weights, given.weights].map((bytes) => new Float32Array(bytes.buffer));
  const mean = a!.map((value, i) => share * value + (1 - share) * b![i]!);
  const network = unpackNetwork({ structure: own.structure, weights: new Uint8Array(mean.buffer) });
  const { prototypes } = network.head;
  unitInPlace(prototypes.data, prototypes.shape[1]!);
  return network;
}

/** As a package gives it back: its names in one order, whoever built the network. */
const archived = (network: Network): Archive => packNetwork(unpackNetwork(packNetwork(network)));

/** The structure; shares and scales may differ, and the average has those of `last`. */
function layoutOf({ head, geometry, ...rest }: Network): string {
  const alike = {
    ...rest,
    head: { ...head, scale: 1 },
    geometry: geometry && { ...geometry, share: 0.5 },
  };
  return archived(alike).structure;
}
