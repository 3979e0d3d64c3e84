import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ClmexError } from '../core/errors.js';
import { Random } from '../encoder/random.js';
import { mapEmbeddings, type EvaluatedGroup } from '../training/index.js';
import { escape } from './bench-plots.js';

/** Distinguishable by people with any colour vision (Okabe and Ito 2008). */
const LABEL_COLOURS = ['#7f7f7f', '#e69f00', '#56b4e9', '#cc79a7', '#009e73', '#d55e00', '#0072b2', '#b8a800']; // prettier-ignore
const YAWS_DEG = [15, 30, 45, 60, 75, 90];
const YAW_COLOURS = ['#fde725', '#7ad151', '#22a884', '#2a788e', '#414487', '#440154'];
const MOST_POINTS = 1500;
const LEAST_POINTS = 30;
const [PANEL, GAP, TOP, LEGEND] = [360, 24, 34, 30];

interface Point {
  readonly label: number;
  readonly personId: string;
  readonly yawDeg: number;
  readonly embedding: Float32Array;
}

/**
 * Draws the embedding space as an SVG file with three panels: the same views coloured by label, by
 * person and by |yaw|. Written aside and renamed.
 * @throws ClmexError `invalid-argument` with fewer than 30 faces: no neighbourhoods to show.
 */
export async function writeMap(
  path: string,
  groups: readonly EvaluatedGroup[],
  labels: readonly string[],
  seed: number,
): Promise<void> {
  const all = groups.flatMap(({ label, personId, views }) =>
    views.flatMap(({ embedding, yawDeg, trueYawDeg = yawDeg }): Point[] =>
      embedding ? [{ label, personId, yawDeg: trueYawDeg, embedding }] : [],
    ),
  );
  if (all.length < LEAST_POINTS) {
    throw new ClmexError('invalid-argument', 'too few faces for a map', {
      field: '--map',
      value: all.length,
      allowed: `pictures with at least ${LEAST_POINTS} faces`,
    });
  }
  const points = new Random(seed).shuffle(all).slice(0, MOST_POINTS);
  const places = await mapEmbeddings(points.map(({ embedding }) => embedding), seed); // prettier-ignore
  const aside = `${path}.tmp-${process.pid}`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(aside, drawing(points, places, labels));
  await rename(aside, path);
}

function drawing(
  points: readonly Point[],
  places: readonly (readonly [number, number])[],
  labels: readonly string[],
): string {
  const people = [...new Set(points.map(({ personId }) => personId))].sort();
  const hue = new Map(people.map((id, i) => [id, (i * 360) / people.length]));
  const yawBin = (yawDeg: number): number => YAWS_DEG.findIndex((to) => Math.abs(yawDeg) <= to);
  const colourOf = (label: number): string => LABEL_COLOURS[label % LABEL_COLOURS.length]!;
  const panels = [
    panel('expression', points.map(({ label }) => colourOf(label)), labels.map((name, i) => [name, colourOf(i)])),
    panel(`person (${people.length})`, points.map(({ personId }) => `hsl(${hue.get(personId)!.toFixed(0)} 70% 45%)`), []),
    panel('view: |yaw|', points.map(({ yawDeg }) => YAW_COLOURS.at(yawBin(yawDeg))!), YAWS_DEG.map((to, i) => [`≤ ${to}°`, YAW_COLOURS[i]!])),
  ]; // prettier-ignore
  const [width, height] = [3 * PANEL + 2 * GAP, TOP + PANEL + LEGEND];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="Embeddings of ${points.length} views">
<rect width="${width}" height="${height}" fill="#fff"/>
${panels.map((draw, i) => draw(i * (PANEL + GAP), places)).join('\n')}
</svg>
`;
}

function panel(
  title: string,
  colours: readonly string[],
  legend: readonly (readonly [name: string, colour: string])[],
) {
  return (left: number, places: readonly (readonly [number, number])[]): string => {
    const dots = places.map(([x, y], i) => `<circle cx="${(left + 6 + x * (PANEL - 12)).toFixed(1)}" cy="${(TOP + 6 + y * (PANEL - 12)).toFixed(1)}" r="2.2" fill="${colours[i]!}" fill-opacity=".75"/>`); // prettier-ignore
    const step = PANEL / Math.max(1, legend.length);
    const names = legend.map(([name, colour], i) => `<circle cx="${(left + i * step + 5).toFixed(1)}" cy="${TOP + PANEL + 18}" r="4" fill="${colour}"/><text x="${(left + i * step + 11).toFixed(1)}" y="${TOP + PANEL + 21}" font-size="7.6">${escape(name)}</text>`); // prettier-ignore
    return `<text x="${left}" y="20" font-size="15">${escape(title)}</text><rect x="${left}" y="${TOP}" width="${PANEL}" height="${PANEL}" fill="none" stroke="#ddd"/>${dots.join('')}${names.join('')}`;
  };
}
