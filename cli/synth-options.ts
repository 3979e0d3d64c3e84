import { InvalidArgumentError } from 'commander';
import type { Turn } from '../training/index.js';

/** Further round, a picture shows too little of what a turn would bring to light. */
const [MOST_YAW_DEG, MOST_PITCH_DEG] = [75, 45];

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

/** Yaws, each with a pitch behind a colon where it has one, with commas between, for commander. */
export function turns(text: string): Turn[] {
  return text.split(',').map((turn) => {
    const parts = turn.split(':').map((part) => (part.trim() === '' ? NaN : Number(part)));
    const [yawDeg = NaN, pitchDeg = 0] = parts;
    const known = Math.abs(yawDeg) <= MOST_YAW_DEG && Math.abs(pitchDeg) <= MOST_PITCH_DEG;
    if (known && parts.length <= 2) return { yawDeg, pitchDeg };
    throw new InvalidArgumentError(
      `Allowed: YAW or YAW:PITCH with commas between, yaws from -${MOST_YAW_DEG} to ${MOST_YAW_DEG}, pitches from -${MOST_PITCH_DEG} to ${MOST_PITCH_DEG}.`,
    );
  });
}

/** Where the meshes and portraits are: --data, else CLMEX_DATA, else beside the project. */
export function dataFolder(option: string | undefined): string {
  return option ?? process.env['CLMEX_DATA'] ?? '../shared/data';
}
