import { InvalidArgumentError } from 'commander';

/** A whole number from `least` up, for commander. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) {
      throw new InvalidArgumentError(`Allowed: a whole number from ${String(least)} up.`);
    }
    return value;
  };
}

/** Positive numbers up to a thousand with commas between, for commander. */
export function counts(text: string): number[] {
  const values = text.split(',').map(Number);
  if (values.every((value) => value > 0 && value <= 1000)) return values;
  throw new InvalidArgumentError('Allowed: positive numbers with commas between.');
}

/** Degrees with commas between, for commander. */
export function angles(text: string): number[] {
  const values = text.split(',').map(Number);
  if (values.every((value) => Number.isFinite(value) && Math.abs(value) <= 75)) return values;
  throw new InvalidArgumentError('Allowed: numbers from -75 to 75 with commas between.');
}

/** Where the meshes and portraits are: --data, else CLMEX_DATA, else beside the project. */
export function dataFolder(option: string | undefined): string {
  return option ?? process.env['CLMEX_DATA'] ?? '../shared/data';
}
