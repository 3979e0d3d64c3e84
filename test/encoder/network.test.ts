import { describe, expect, it } from 'vitest';
import { unpackNetwork, packNetwork } from '../../encoder/archive.js';
import { VIEW_FEATURES } from '../../encoder/fusion.js';
import { buildNetwork, countParameters, NETWORKS, zeros } from '../../encoder/network.js';
import { cropNormalizer, DEFAULT_MASK, maskWeights } from '../../encoder/normalize.js';
import { Random } from '../../encoder/random.js';
import { TINY_NETWORK } from '../support/random-model.js';

describe('the networks that ship', () => {
  it.each([
    ['small', 1_000_000],
    ['base', 3_000_000],
  ] as const)('%s stays within its parameters', (name, most) => {
    const count = countParameters(buildNetwork(NETWORKS[name], 1));
    expect(count).toBeLessThanOrEqual(most);
    expect(count).toBeGreaterThan(most / 4);
  });

  it('come out alike for the same seed, different for another', () => {
    expect(buildNetwork(TINY_NETWORK, 3)).toEqual(buildNetwork(TINY_NETWORK, 3));
    expect(buildNetwork(TINY_NETWORK, 3)).not.toEqual(buildNetwork(TINY_NETWORK, 4));
  });

  it('hold only layers that quantise', () => {
    const kinds = new Set(buildNetwork(NETWORKS.base, 1).layers.map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual(['add', 'conv2d', 'dense', 'l2Normalize', 'reshape']);
  });

  it('survive packing bit by bit', () => {
    const graph = buildNetwork(TINY_NETWORK, 1);
    const head = {
      prototypes: zeros([7, 16]),
      prototypesPerLabel: 1,
      scale: 3,
      query: zeros([16]),
      viewBias: zeros([VIEW_FEATURES]),
    };
    expect(unpackNetwork(packNetwork({ graph, head }))).toEqual({ graph, head });
  });
});

describe('normalisation of a crop', () => {
  const normalize = cropNormalizer(64, DEFAULT_MASK);
  const random = new Random(2);
  const crop = Uint8Array.from({ length: 64 * 64 }, () => 40 + random.integer(120));
  const weights = maskWeights(64, DEFAULT_MASK);
  const run = (pixels: Uint8Array): Float32Array => {
    const out = new Float32Array(64 * 64);
    normalize(pixels, out);
    return out;
  };

  it('brings mean and deviation under the mask to 0 and 1', () => {
    const out = run(crop);
    let [mass, mean, square] = [0, 0, 0];
    weights.forEach((weight, i) => {
      if (weight === 0) return;
      mass += weight;
      mean += out[i]!;
      square += (out[i]! / weight) ** 2 * weight;
    });
    expect(mean / mass).toBeCloseTo(0, 4);
    expect(square / mass).toBeCloseTo(1, 4);
  });

  it('shows nothing outside the ellipse, and does not mind brightness and contrast', () => {
    const out = run(crop);
    expect([out[0], out[63], out[64 * 63]].map((value) => Math.abs(value!))).toEqual([0, 0, 0]);
    const brighter = run(crop.map((value) => 20 + value));
    brighter.forEach((value, i) => expect(Math.abs(value - out[i]!)).toBeLessThan(1e-4));
  });

  it('stays finite and calm for a flat crop', () => {
    expect(run(new Uint8Array(64 * 64).fill(77)).every((value) => value === 0)).toBe(true);
  });
});

describe('seeded random numbers', () => {
  it('go on from a saved state', () => {
    const first = new Random(9);
    first.normal();
    const saved = first.state;
    const expected = Array.from({ length: 5 }, () => first.uniform());
    const again = new Random(saved);
    expect(Array.from({ length: 5 }, () => again.uniform())).toEqual(expected);
  });

  it('are even and normal enough', () => {
    const numbers = new Random(1);
    const bins = new Array<number>(10).fill(0);
    let [sum, square] = [0, 0];
    for (let i = 0; i < 20_000; i++) {
      bins[numbers.integer(10)]!++;
      const value = numbers.normal();
      sum += value;
      square += value * value;
    }
    for (const bin of bins) expect(Math.abs(bin - 2000)).toBeLessThan(200);
    expect(Math.abs(sum / 20_000)).toBeLessThan(0.03);
    expect(square / 20_000).toBeCloseTo(1, 1);
    expect([...numbers.shuffle([1, 2, 3, 4])].sort()).toEqual([1, 2, 3, 4]);
  });
});
