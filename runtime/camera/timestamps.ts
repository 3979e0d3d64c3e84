import { readFile } from 'node:fs/promises';
import { ClmexError } from '../../core/errors.js';

/**
 * Capture times in milliseconds from a CSV with the header `seconds` and a row a frame.
 * @throws ClmexError `not-found`, or `invalid-file` naming the row
 */
export async function readTimestamps(path: string, field: string): Promise<Float64Array> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new ClmexError('not-found', 'cannot read the timestamps', {
      field,
      value: path,
      cause,
    });
  }
  const [header, ...rows] = text
    .replace(/^\uFEFF/, '')
    .trimEnd()
    .split(/\r?\n/);
  if (header?.trim() !== 'seconds') {
    throw new ClmexError('invalid-file', `wrong header in ${path}`, {
      field,
      value: header,
      allowed: 'a first line `seconds`, then one number a frame',
    });
  }
  return Float64Array.from(rows, (row, index) => {
    const seconds = row.trim() === '' ? NaN : Number(row);
    if (!Number.isFinite(seconds)) {
      throw new ClmexError('invalid-file', `row ${index + 2} of ${path} is not a time`, {
        field,
        value: row,
        allowed: 'seconds as a finite number, one row a frame',
      });
    }
    return seconds * 1000;
  });
}

/** @throws ClmexError `invalid-file` naming both counts */
export function checkRows(path: string, rows: number, frames: number, field: string): void {
  if (rows === frames) return;
  throw new ClmexError('invalid-file', `${path} has ${rows} rows, the video ${frames} frames`, {
    field,
    value: rows,
    allowed: `${frames} rows, one a frame`,
  });
}
