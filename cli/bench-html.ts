import { constants } from 'node:fs';
import { access, rename, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ClmexError } from '../core/errors.js';
import { figuresOf } from './bench-figures.js';
import { escape } from './bench-plots.js';

type Report = Readonly<Record<string, unknown>>;

/** Before minutes of measuring. @throws ClmexError `invalid-argument` where no file can be written there. */
export async function requireReportPlace(path: string | undefined): Promise<void> {
  if (path === undefined) return;
  await access(dirname(resolve(path)), constants.W_OK).catch((cause: unknown) => {
    throw new ClmexError('invalid-argument', 'is in no folder that can be written', {
      field: '--report',
      value: path,
      cause,
    });
  });
}

/** Writes a report as one HTML page that loads nothing; aside first, then renamed. */
export async function writeReport(path: string, report: object): Promise<void> {
  const aside = `${path}.tmp-${process.pid}`;
  await writeFile(aside, pageOf(report as Report));
  await rename(aside, path);
}

export function pageOf(report: Report): string {
  const title = `clmex bench ${typeof report['kind'] === 'string' ? report['kind'] : ''}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>${STYLE}</style></head><body><main><h1>${escape(title)}</h1>
${sectionOf(report)}</main></body></html>
`;
}

function sectionOf(report: Report): string {
  const nested = Object.entries(report).filter(([, value]) => isReport(value));
  return [
    figuresOf(report),
    tableOf(report),
    ...nested.map(([name, value]) => `<section><h2>${escape(name)}</h2>${sectionOf(value as Report)}</section>`), // prettier-ignore
  ].join('\n');
}

/** Reports within a report stand under their own headings; other objects are rows of numbers. */
const isReport = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'measuredAt' in value;

function tableOf(report: Report): string {
  const rows = Object.entries(report)
    .filter(([name, value]) => name !== 'samples' && !isReport(value))
    .map(([name, value]) => `<tr><th>${escape(name)}</th><td>${cellOf(value)}</td></tr>`);
  return `<table>${rows.join('')}</table>`;
}

function cellOf(value: unknown): string {
  if (Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null)) {
    const names = [...new Set(value.flatMap((item: object) => Object.keys(item)))];
    const head = names.map((name) => `<th>${escape(name)}</th>`).join('');
    const body = value.map((item: Report) => `<tr>${names.map((name) => `<td>${cellOf(item[name])}</td>`).join('')}</tr>`); // prettier-ignore
    return `<table><tr>${head}</tr>${body.join('')}</table>`;
  }
  if (typeof value === 'object' && value !== null) {
    const inner = Object.entries(value).map(([name, item]) => `<span class="pair"><i>${escape(name)}</i> ${cellOf(item)}</span>`); // prettier-ignore
    const deep = Object.values(value).some((item) => typeof item === 'object' && item !== null);
    return deep ? `<details><summary>more</summary>${inner.join(' ')}</details>` : inner.join(' ');
  }
  if (typeof value === 'number') return String(Number(value.toPrecision(4)));
  return typeof value === 'string' ? escape(value) : String(value);
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1b2330; --quiet: #66707f; --line: #d8dde5; --ground: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --quiet: #98a3b3; --line: #333c49; --ground: #12161c } }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; border-top: 1px solid var(--line) }
th { color: var(--quiet); font-weight: 500 }
td table { font-size: .9em } .pair { display: inline-block; margin-right: 1rem }
.pair i { color: var(--quiet); font-style: normal }
svg { display: block; width: 100%; height: auto; margin: 1.5rem 0 } svg text { fill: var(--quiet); font: 12px system-ui, sans-serif }
svg .title { fill: var(--ink); font-weight: 600; font-size: 14px } svg .axis { stroke: var(--line) }
`;
