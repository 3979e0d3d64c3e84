import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import manifest from '../package.json' with { type: 'json' };

/** What is measured where nothing is given: the package's own recording, wherever the command is run. */
export const SAMPLE_RECORDING = fileURLToPath(
  new URL('../samples/recordings/two-people.mcap', import.meta.url),
);
/** A rig that replays it. */
export const SAMPLE_CONFIG = fileURLToPath(new URL('../samples/rig.json', import.meta.url));

/** Where a measurement was made; stands in every benchmark's report. */
export interface Environment {
  readonly clmex: string;
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly measuredAt: string;
}

export function environment(): Environment {
  const cores = cpus();
  return {
    clmex: manifest.version,
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    measuredAt: new Date().toISOString(),
  };
}

export interface Spread {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Nearest-rank percentiles; zeros of nothing. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number =>
    rounded(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

/** Four significant digits: what a timing is worth. */
export const rounded = (value: number): number => Number(value.toPrecision(4));

export function lowerQuartile(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 2] ?? NaN;
}
