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

/** Whole numbers from 1 to a thousand with commas between, for commander. */
export function counts(text: string): number[] {
  const values = text.split(',').map(Number);
  if (values.every((value) => Number.isInteger(value) && value > 0 && value <= 1000)) return values;
  throw new InvalidArgumentError('Allowed: whole numbers from 1 to 1000 with commas between.');
}

/** Percentages above 0 with commas between, for commander. */
export function percentages(text: string): number[] {
  const values = text.split(',').map(Number);
  if (values.every((value) => value > 0 && value <= 100)) return values;
  throw new InvalidArgumentError('Allowed: percentages above 0, up to 100, with commas between.');
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
