import type { Random } from './random.js';

/**
 * Identity weights (unit Gaussian, largest mode first; the rest 0) of an average person: the mean of
 * what `fitPhoto` finds for the 58 training portraits of the London set (DeBruine & Jones 2017,
 * CC-BY 4.0). The head model's own mean is nobody: its brows stand 2 mm higher.
 */
export const AVERAGE_IDENTITY: readonly number[] = [
  0.04, -0.86, 0.52, 1.19, 1.07, -1.02, -0.52, 1.82, 1.03, 0.19, -0.2, 2.1, 3.58, 1.04, 1.05, 1.14,
  -0.15, 0.76, 2.4, 0.15, 0.14, 0.43, -1.74, -1.22, -0.25, -0.02, -0.53, -0.38, -0.07, -0.05, 0.54,
  -0.91, -0.18, -0.18, 2.04, -2.87, -0.06, -0.02, -0.37, 0.84,
];

/** Deviation of the modes of people at random. */
const VARIATION = 1.6;

/**
 * Somebody like a fitted person.
 *
 * @param likeness 1 for that person, 0 for anybody
 * @param modes how many weights
 */
export function identityLike(
  random: Random,
  fitted: readonly number[],
  likeness: number,
  modes: number,
): number[] {
  return Array.from({ length: modes }, (_, mode) => {
    const average = AVERAGE_IDENTITY[mode] ?? 0;
    const anybody = average + VARIATION * random.normal();
    return likeness * (fitted[mode] ?? 0) + (1 - likeness) * anybody;
  });
}
