import { ClmexError } from '../core/errors.js';

/** Wrong use exits with 2, everything else that fails with 1. */
const WRONG_USE = new Set<string>(['invalid-argument', 'invalid-config']);

/** Prints one JSON document to stdout, or the text for people where `--json` was not asked for. */
export function printResult(json: boolean, result: unknown, text: () => string): void {
  process.stdout.write(`${json ? readableJson(result) : text()}\n`);
}

/** Indented, lists of numbers on one line: a text within JSON holds no line break, so none is touched. */
function readableJson(value: unknown): string {
  const indented = JSON.stringify(value, null, 2);
  return indented.replace(/\[\n[-+.\deE,\s]*\]/g, (list) =>
    list.replace(/\s+/g, ' ').replace('[ ', '[').replace(' ]', ']'),
  );
}

/** A line for people on stderr; rewritten in place on a terminal, so that progress does not scroll. */
export function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${line}`);
  else process.stderr.write(`${line}\n`);
}

/** A commander parser for whole numbers. @throws ClmexError `invalid-argument` outside min…max. */
export function integer(field: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < min || value > max) {
      throw new ClmexError('invalid-argument', 'not a number in range', {
        field,
        value: text,
        allowed: `a whole number from ${min} to ${max}`,
      });
    }
    return value;
  };
}

export function reportFailure(error: unknown): number {
  if (error instanceof ClmexError) {
    process.stderr.write(`clmex: ${error.message}\n`);
    return WRONG_USE.has(error.code) ? 2 : 1;
  }
  process.stderr.write(
    `clmex: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return 1;
}
