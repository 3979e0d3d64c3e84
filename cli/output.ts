import { ClmexError } from '../core/errors.js';

/** Wrong use exits with 2, everything else that fails with 1. */
const WRONG_USE = new Set<string>(['invalid-argument', 'invalid-config']);

/** Prints one JSON document to stdout, or the text for people where `--json` was not asked for. */
export function printResult(json: boolean, result: unknown, text: () => string): void {
  printLine(json ? readableJson(result) : text());
}

/** To stdout. */
export function printLine(line: string): void {
  endProgress();
  process.stdout.write(`${line}\n`);
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
  standing = process.stderr.isTTY;
  process.stderr.write(standing ? `\r\x1b[2K${line}` : `${line}\n`);
}

/** A line for people on stderr that stays where progress would be rewritten. */
export function notice(line: string): void {
  endProgress();
  process.stderr.write(`${line}\n`);
}

/** Whether a terminal shows a line of progress that has no end yet. */
let standing = false;

function endProgress(): void {
  if (standing) process.stderr.write('\n');
  standing = false;
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
    notice(`clmex: ${error.message}`);
    return WRONG_USE.has(error.code) ? 2 : 1;
  }
  notice(`clmex: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return 1;
}
