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

/** Where the meshes and portraits are: --data, else CLMEX_DATA, else beside the project. */
export function dataFolder(option: string | undefined): string {
  return option ?? process.env['CLMEX_DATA'] ?? '../shared/data';
}
