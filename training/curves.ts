import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LogEntry } from './trainer.js';

const [WIDTH, HEIGHT, MARGIN, GAP] = [720, 150, 60, 30];

/**
 * Draws every number of a run's `log.jsonl` over its steps into `curves.svg`, one panel each; no
 * picture of a run that was stopped before its first line.
 */
export async function writeCurves(directory: string): Promise<void> {
  const log = join(directory, 'log.jsonl');
  if (!existsSync(log)) return;
  const lines = (await readFile(log, 'utf8')).split('\n').filter(Boolean);
  const entries = lines.map((line) => JSON.parse(line) as LogEntry);
  const path = join(directory, 'curves.svg');
  await writeFile(`${path}.tmp`, curvesSvg(entries));
  await rename(`${path}.tmp`, path);
}

function curvesSvg(entries: readonly LogEntry[]): string {
  const rows = entries.map(({ step, terms, validation }) => ({
    step,
    values: {
      ...terms,
      ...Object.fromEntries(
        Object.entries(validation ?? {}).map(([k, v]) => [`validation ${k}`, v]),
      ),
    },
  }));
  const names = [...new Set(rows.flatMap(({ values }) => Object.keys(values)))];
  const panels = names.map((name, i) => {
    const points = rows.flatMap(({ step, values }) =>
      values[name] === undefined ? [] : [[step, values[name]] as const],
    );
    return panel(name, points, MARGIN + i * (HEIGHT + GAP));
  });
  const height = MARGIN + names.length * (HEIGHT + GAP);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${panels.join('\n')}
</svg>
`;
}

function panel(name: string, points: readonly (readonly [number, number])[], top: number): string {
  const [steps, values] = [points.map(([step]) => step), points.map(([, value]) => value)];
  const [first, last, low, high] = [
    Math.min(...steps),
    Math.max(...steps),
    Math.min(...values),
    Math.max(...values),
  ];
  const x = (step: number): number =>
    MARGIN + ((step - first) / Math.max(1, last - first)) * (WIDTH - 2 * MARGIN);
  const y = (value: number): number =>
    top + HEIGHT - ((value - low) / Math.max(1e-9, high - low)) * HEIGHT;
  const line = points
    .map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`)
    .join(' ');
  return `<rect x="${MARGIN}" y="${top}" width="${WIDTH - 2 * MARGIN}" height="${HEIGHT}" fill="none" stroke="#bbb"/>
<text x="${MARGIN}" y="${top - 5}">${name}: ${values.at(-1)!.toPrecision(4)} at step ${last}</text>
<text x="${MARGIN - 5}" y="${top + 10}" text-anchor="end">${high.toPrecision(3)}</text>
<text x="${MARGIN - 5}" y="${top + HEIGHT}" text-anchor="end">${low.toPrecision(3)}</text>
<polyline points="${line}" fill="none" stroke="#1665d8" stroke-width="2"/>`;
}
