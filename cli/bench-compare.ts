import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { ClmexError } from '../core/errors.js';
import { rounded } from './bench-environment.js';
import { printResult } from './output.js';

export interface Difference {
  /** Dotted path of the number in both reports. */
  readonly name: string;
  readonly before: number;
  readonly after: number;
  /** after ÷ before. */
  readonly ratio: number;
  /** How far the ratio may lie from 1 without meaning anything. */
  readonly noise: number;
  readonly changed: boolean;
}

/** Two runs of one program on one quiet machine differ by this much in their timings. */
const LEAST_NOISE = 0.05;
/** What a share of views or a cosine may differ by: half a point. */
const LEAST_SHARE = 0.005;
const SHARES = /(cosine|agreement|accuracy|fraction|ece|explained|linearity)$/i;
const LATENCIES = /(^|\.)(captureToScoreMs|stagesMs)\./;
/** Describe the run or its course instead of measuring something. */
const NOT_MEASURED = /(^|\.)(samples|measuredAt|cores|memoryGiB|threads|batch|crops|cameras|people|seconds|rounds|sets|warmUpSeconds)(\.|$)/; // prettier-ignore
/** Course of a run, not a setting of it. */
const COURSE = /(^|\.)(samples|measuredAt|seconds)(\.|$)/;

/** `clmex bench compare`: which numbers of two reports differ by more than their noise. */
export function register(bench: Command): void {
  bench
    .command('compare')
    .description('Compare two JSON reports of the same benchmark.')
    .argument('<before>', 'report')
    .argument('<after>', 'report')
    .option('--json', 'print one JSON document', false)
    .action(async (before: string, after: string, { json }: { json: boolean }) => {
      const [a, b] = [await readReport(before), await readReport(after)];
      const differences = compareReports(a, b);
      const { settings, onlyInOne } = unlike(a, b);
      printResult(json, { before, after, settings, onlyInOne, differences }, () =>
        [
          ...settings.map(({ name, before, after }) => `! ${name}: ${before} → ${after}`),
          ...onlyInOne.map((name) => `! ${name} stands in one report only`),
          ...differences.map(line),
          '▲ more, ▼ less, by more than the noise; ! what makes the reports unlike',
        ].join('\n'),
      );
    });
}

async function readReport(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch (cause) {
    throw new ClmexError('invalid-argument', 'cannot be read as a report', {
      field: 'report',
      value: path,
      allowed: 'a file that a benchmark wrote with --json',
      cause,
    });
  }
}

/** What was set otherwise, and numbers that one report lacks. */
export function unlike(before: unknown, after: unknown) {
  const [a, b] = [settingsOf(before), settingsOf(after)];
  const settings = [...new Set([...a.keys(), ...b.keys()])]
    .map((name) => ({ name, before: a.get(name) ?? 'none', after: b.get(name) ?? 'none' }))
    .filter((one) => one.before !== one.after);
  const [c, d] = [numbersOf(before), numbersOf(after)];
  const onlyInOne = [...new Set([...c.keys(), ...d.keys()])].filter((name) => c.has(name) !== d.has(name));
  return { settings, onlyInOne };
} // prettier-ignore

/** Texts, and the numbers that describe a run. */
function settingsOf(value: unknown, path = ''): Map<string, string> {
  if (COURSE.test(path)) return new Map();
  if (typeof value === 'string') return new Map([[path, value]]);
  if (typeof value === 'number')
    return new Map(NOT_MEASURED.test(path) ? [[path, String(value)]] : []);
  if (typeof value !== 'object' || value === null) return new Map();
  return new Map(
    Object.entries(value).flatMap(([name, item]) => [
      ...settingsOf(item, path === '' ? name : `${path}.${name}`),
    ]),
  );
}

/**
 * Numbers that stand in both reports. Where a report holds a course over time (`samples`), the
 * spread of its seconds says how noisy its latencies are; else 5 % is taken of each report. Shares and
 * cosines may differ by half a point, however noisy the machine.
 * @throws ClmexError `invalid-argument` where the reports have no number in common.
 */
export function compareReports(before: unknown, after: unknown): Difference[] {
  const [a, b] = [numbersOf(before), numbersOf(after)];
  const ofLatencies = Math.hypot(noiseOf(before), noiseOf(after));
  const differences = [...a].flatMap(([name, value]): Difference[] => {
    const other = b.get(name);
    if (other === undefined) return [];
    const ratio = value === other ? 1 : other / value;
    const noise = SHARES.test(name)
      ? LEAST_SHARE / Math.max(Math.abs(value), LEAST_SHARE)
      : LATENCIES.test(name)
        ? ofLatencies
        : Math.SQRT2 * LEAST_NOISE;
    const changed = value !== other && !(Math.abs(ratio - 1) <= noise);
    return [{ name, before: value, after: other, ratio: rounded(ratio), noise: rounded(noise), changed }]; // prettier-ignore
  });
  if (differences.length === 0) {
    throw new ClmexError('invalid-argument', 'the reports have no number in common', {
      field: 'report',
      allowed: 'two reports of the same benchmark',
    });
  }
  return differences;
}

function numbersOf(value: unknown, path = ''): Map<string, number> {
  if (path !== '' && NOT_MEASURED.test(path)) return new Map();
  if (typeof value === 'number') return new Map([[path, value]]);
  if (typeof value !== 'object' || value === null) return new Map();
  return new Map(
    Object.entries(value).flatMap(([name, item]) => [
      ...numbersOf(item, path === '' ? name : `${path}.${name}`),
    ]),
  );
}

/** Two standard errors of the median second, relative; at least {@link LEAST_NOISE}. */
function noiseOf(report: unknown): number {
  const samples = (report as { samples?: readonly { captureToScoreMs: { p50: number } }[] } | null)
    ?.samples;
  const values = (samples ?? []).map(({ captureToScoreMs }) => captureToScoreMs.p50).filter((ms) => ms > 0); // prettier-ignore
  if (values.length < 4) return LEAST_NOISE;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1); // prettier-ignore
  return Math.max(LEAST_NOISE, (2 * Math.sqrt(variance / values.length)) / mean);
}

function line({ name, before, after, ratio, noise, changed }: Difference): string {
  const mark = changed ? (ratio > 1 ? '▲' : '▼') : ' ';
  return `${mark} ${name.padEnd(36)} ${String(before).padStart(10)} → ${String(after).padStart(10)}  × ${ratio.toFixed(3)} (noise ± ${(noise * 100).toFixed(noise < 0.02 ? 1 : 0)} %)`;
}
