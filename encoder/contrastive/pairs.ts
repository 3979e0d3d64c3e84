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
  const mask = (holds: (same: boolean) => boolean): Float32Array =>
    Float32Array.from({ length: rows * rows }, (_, at) => {
      const [i, j] = [Math.floor(at / rows), at % rows];
      const both = i !== j && groups[i]! >= 0 && groups[j]! >= 0;
      return both && holds(groups[i] === groups[j]) ? 1 : 0;
    });
  const positives = mask((same) => same);
  const square: [number, number] = [rows, rows];
  return {
    positives: tf.tensor2d(positives, square),
    others: tf.tensor2d(mask(() => true), square),
    negatives: tf.tensor2d(mask((same) => !same), square),
    counts: groups.map((_, i) => positives.subarray(i * rows, (i + 1) * rows).reduce((a, b) => a + b, 0)),
    present: groups.filter((group) => group >= 0).length,
  }; // prettier-ignore
}
