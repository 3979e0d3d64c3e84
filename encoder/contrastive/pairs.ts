import * as tf from '@tensorflow/tfjs-core';
import { ClmexError } from '../../core/errors.js';

/** Who is whose positive in a batch, as [n, n] masks and a count a row. */
export interface Pairs {
  /** Same group, not the row itself. */
  readonly positives: tf.Tensor2D;
  /** Every present row but the row itself. */
  readonly others: tf.Tensor2D;
  readonly negatives: tf.Tensor2D;
  /** Positives of each row. */
  readonly counts: readonly number[];
  /** Rows that take part at all. */
  readonly present: number;
}

/**
 * @param groups one number a row: rows of one group are positives of each other. A negative number
 * marks a missing view: its row is neither anchor, positive nor negative.
 */
export function pairsOf(groups: readonly number[], rows: number): Pairs {
  if (groups.length !== rows) {
    throw new ClmexError('invalid-argument', `needs one group a row, ${rows} here`, {
      field: 'groups',
      value: groups.length,
    });
  }
  const [positives, others, negatives] = [0, 1, 2].map(() => new Float32Array(rows * rows)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const counts = groups.map(() => 0);
  // Loops, not callbacks: batches of a thousand rows have a million pairs.
  for (let i = 0; i < rows; i++) {
    if (groups[i]! < 0) continue;
    for (let j = 0; j < rows; j++) {
      if (i === j || groups[j]! < 0) continue;
      const at = i * rows + j;
      const same = groups[i] === groups[j];
      others[at] = 1;
      (same ? positives : negatives)[at] = 1;
      if (same) counts[i]!++;
    }
  }
  const square: [number, number] = [rows, rows];
  return {
    positives: tf.tensor2d(positives, square),
    others: tf.tensor2d(others, square),
    negatives: tf.tensor2d(negatives, square),
    counts,
    present: groups.filter((group) => group >= 0).length,
  };
}
