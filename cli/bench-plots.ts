/** Distinguishable by people with any colour vision (Okabe and Ito 2008). */
const COLOURS = ['#0072b2', '#e69f00', '#d55e00', '#009e73'] as const;
const WIDTH = 720;

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface BarGroup {
  readonly name: string;
  readonly values: readonly number[];
}

/** Horizontal bars, a group of values a row; `names` of a group's values, where it has several. */
export function bars(
  title: string,
  groups: readonly BarGroup[],
  names: readonly string[] = [],
): string {
  const [left, thick] = [140, 9];
  const most = niceCeiling(Math.max(1e-9, ...groups.flatMap(({ values }) => values)));
  const scale = (WIDTH - left - 70) / most;
  let y = 34;
  const parts = groups.map(({ name, values }) => {
    const top = y;
    y += values.length * (thick + 2) + 10;
    const rows = values.map((value, i) => {
      const at = top + i * (thick + 2);
      const end = left + value * scale;
      return `<rect x="${left}" y="${at}" width="${(value * scale).toFixed(1)}" height="${thick}" rx="2" fill="${COLOURS[i % COLOURS.length]!}"/><text x="${(end + 5).toFixed(1)}" y="${at + thick}">${format(value)}</text>`;
    });
    return `<text x="${left - 8}" y="${top + thick + 4}" text-anchor="end">${escape(name)}</text>${rows.join('')}`;
  });
  const legend = names.map((name, i) => key(name, WIDTH - 56 * (names.length - i), 12, i));
  return svg(title, y, [...parts, ...legend].join(''));
}

/** Lines over a common axis that starts at zero. */
export function lines(title: string, axis: string, series: readonly Series[]): string {
  const [left, top, bottom, height] = [56, 34, 28, 240];
  const all = series.flatMap(({ points }) => points);
  if (all.length === 0) return '';
  const [x0, x1] = [Math.min(...all.map(([x]) => x)), Math.max(...all.map(([x]) => x))];
  const most = niceCeiling(Math.max(1e-9, ...all.map(([, y]) => y)));
  const px = (x: number): number => left + ((x - x0) / (x1 - x0 || 1)) * (WIDTH - left - 110);
  const py = (y: number): number => height - bottom - (y / most) * (height - top - bottom);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const y = py(share * most).toFixed(1);
    return `<line class="axis" x1="${left}" x2="${WIDTH - 110}" y1="${y}" y2="${y}"/><text x="${left - 6}" y="${Number(y) + 4}" text-anchor="end">${format(share * most)}</text>`;
  });
  const drawn = series.map(({ name, points }, i) => {
    const colour = COLOURS[i % COLOURS.length]!;
    const path = points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(' ');
    return `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${path}"/>${key(name, WIDTH - 98, top + 16 * i, i)}`;
  });
  const ends = `<text x="${left}" y="${height - 8}">${format(x0)}</text><text x="${WIDTH - 110}" y="${height - 8}" text-anchor="end">${format(x1)} ${escape(axis)}</text>`;
  return svg(title, height, [...grid, ...drawn, ends].join(''));
}

/** One entry of a legend. */
function key(name: string, x: number, y: number, i: number): string {
  return `<circle cx="${x}" cy="${y}" r="4" fill="${COLOURS[i % COLOURS.length]!}"/><text x="${x + 10}" y="${y + 4}">${escape(name)}</text>`;
}

function svg(title: string, height: number, inner: string): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(title)}"><text class="title" x="0" y="16">${escape(title)}</text>${inner}</svg>`;
}

/** The next of 1, 2, 4, 5, 8 × 10ⁿ. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 4, 5, 8, 10].find((step) => step * power >= value) ?? 10);
}

const format = (value: number): string => String(Number(value.toPrecision(3)));

export const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);
