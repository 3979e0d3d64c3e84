import type { CameraStatus, Counts, Percentiles, RuntimeStatus } from '../core/protocol.js';
import { ANOTHER_EPOCH_MS } from '../core/types.js';
import { html } from './dom.js';
import { count, percent, signed } from './format.js';

const HEADINGS = [
  ['camera', ''],
  ['fps', 'Frames a second'],
  ['clock', 'Camera’s clock against the rig’s median, ± half of a capture time’s 95 % interval'],
  ['drift', 'How fast the offset grows'],
  ['faces', 'Faces found a frame of this camera, on average over the sets it was in'],
  ['frames dropped', 'Frames that never became part of a set, by reason'],
  ['sets missed', 'Sets that closed without this camera, by reason'],
] as const;

/** Frame sets, stage latencies and cameras: how the rig is doing. */
export class Health {
  readonly #cameras: HTMLElement;
  readonly #sets: HTMLElement;
  readonly #stages: HTMLElement;

  constructor(cameras: HTMLElement, sets: HTMLElement, stages: HTMLElement) {
    this.#cameras = cameras;
    this.#sets = sets;
    this.#stages = stages;
  }

  show(status: RuntimeStatus): void {
    this.#cameras.replaceChildren(cameraTable(status));
    this.#sets.replaceChildren(...frameSets(status));
    this.#stages.replaceChildren(...stages(status.stagesMs));
  }
}

function cameraTable({ cameras, frameSets }: RuntimeStatus): HTMLElement {
  // Clocks count from anywhere: what matters is how the cameras differ.
  const offsets = cameras.flatMap(({ offsetMs }) => offsetMs ?? []).sort((a, b) => a - b);
  const median = offsets[offsets.length >> 1] ?? 0;
  const head = html('tr', {}, ...HEADINGS.map(([text, title]) => html('th', { text, title })));
  return html(
    'table',
    {},
    html('thead', {}, head),
    html('tbody', {}, ...cameras.map((camera) => cameraRow(camera, median, frameSets.total))),
  );
}

/** A child's last words can be long; all of them stand in the dot's title. */
const MOST_DETAIL = 90;
const shortened = (text: string): string =>
  text.length > MOST_DETAIL ? `${text.slice(0, MOST_DETAIL - 1)}…` : text;

function cameraRow(camera: CameraStatus, medianMs: number, sets: number): HTMLElement {
  const { cameraId, state, detail, fps, faces, missing, offsetMs, driftPpm, uncertaintyMs } =
    camera;
  const dot = html('span', {
    class: 'state',
    title: detail ?? state,
    attributes: { 'data-state': state },
  });
  const name = html('td', {}, dot, html('b', { text: cameraId }));
  if (state !== 'live') name.append(html('small', { text: shortened(detail ?? state) }));
  const seen = sets - Object.values(missing).reduce((sum, n) => sum + n, 0);
  const clock = offsetMs === undefined ? undefined : offsetMs - medianMs;
  const cells = [
    fps.toFixed(1),
    clockText(clock, uncertaintyMs),
    signed(driftPpm, 0, 'ppm'),
    seen > 0 ? (faces / seen).toFixed(1) : '–',
  ];
  return html(
    'tr',
    { attributes: { 'data-camera': cameraId } },
    name,
    ...cells.map((text) => html('td', { class: 'number', text })),
    html('td', {}, chips(camera.drops, 'drop')),
    html('td', {}, chips(missing, 'miss')),
  );
}

function clockText(offsetMs: number | undefined, uncertaintyMs: number | undefined): string {
  const size = Math.abs(offsetMs ?? 0);
  const isFar = offsetMs !== undefined && size >= 10_000;
  const near = isFar ? signed(offsetMs / 1000, 1, 's') : signed(offsetMs, 1, 'ms');
  const offset = size < ANOTHER_EPOCH_MS ? near : 'other epoch';
  return uncertaintyMs === undefined ? offset : `${offset} ± ${uncertaintyMs.toFixed(1)} ms`;
}

/** What the counted reasons mean, for people. */
const REASONS: Readonly<Record<string, string>> = {
  late: 'arrived after its set had left',
  duplicate: 'came twice',
  'out-of-order': 'overtaken by a later frame',
  'out-of-tolerance': 'too far from the instant of any set',
  superseded: 'another frame of this camera lay nearer to the instant',
  'incomplete-set': 'the policy asks for complete sets only',
  'invalid-stamp': 'its stamp was no time',
  'clock-step': "the camera's clock was set",
  'no-buffer': 'all frame buffers were in use',
  backpressure: 'the machine was still busy with an earlier set, and this one gave way to a newer',
  shutdown: 'the runtime was closing',
  dropped: 'the camera left this frame out',
  silent: 'the camera delivers nothing at the moment',
  disconnected: 'the camera is being connected again',
  ended: "the camera's file has ended",
  'not-started': 'the camera has not delivered yet',
};

function chips(counts: Counts, kind: 'drop' | 'miss'): HTMLElement {
  const what = kind === 'drop' ? 'Frames dropped' : 'Sets without this camera';
  const shown = Object.entries(counts).filter(([, n]) => n > 0);
  return html(
    'span',
    { class: 'chips' },
    ...shown.map(([reason, n]) =>
      html(
        'span',
        { class: `chip ${kind}`, title: `${what}: ${REASONS[reason] ?? reason}` },
        `${reason} `,
        html('b', { text: count(n) }),
      ),
    ),
  );
}

function frameSets({ frameSets: sets, drops, stream }: RuntimeStatus): HTMLElement[] {
  const share = sets.total > 0 ? sets.complete / sets.total : 0;
  const fill = html('div', { class: 'fill' });
  fill.style.transform = `scaleX(${share})`;
  const facts: [string, string][] = [
    ['rate', `${sets.rate.toFixed(1)} / s`],
    ['spread', `${sets.spreadMs.p50.toFixed(1)} ms · p95 ${sets.spreadMs.p95.toFixed(1)}`],
    ['sets', `${count(sets.total)} · ${count(sets.partial)} partial`],
  ];
  const elements: HTMLElement[] = [
    html(
      'div',
      { class: 'big' },
      html('b', { text: sets.total > 0 ? percent(share) : '–' }),
      html('span', { text: 'of frame sets complete' }),
    ),
    html('div', { class: 'track' }, fill),
    html(
      'dl',
      {},
      ...facts.flatMap(([term, text]) => [html('dt', { text: term }), html('dd', { text })]),
    ),
  ];
  const others = { ...drops, ...prefixed(stream.dropped, 'client: ') };
  if (Object.values(others).some((n) => n > 0)) elements.push(chips(others, 'drop'));
  return elements;
}

const prefixed = (counts: Counts, prefix: string): Counts =>
  Object.fromEntries(Object.entries(counts).map(([name, n]) => [prefix + name, n]));

function stages(stagesMs: Readonly<Record<string, Percentiles>>): HTMLElement[] {
  if (Object.keys(stagesMs).length === 0)
    return [html('p', { class: 'label', text: 'no frames yet' })];
  const most = Math.max(1, ...Object.values(stagesMs).map(({ p95 }) => p95));
  return Object.entries(stagesMs).map(([stage, { p50, p95 }]) => {
    const tail = html('div', { class: 'tail' });
    tail.style.transform = `scaleX(${p95 / most})`;
    const fill = html('div', { class: 'fill' });
    fill.style.transform = `scaleX(${p50 / most})`;
    return html(
      'div',
      { class: 'stage', title: `median ${p50.toFixed(2)} ms, 95 % within ${p95.toFixed(2)} ms` },
      html('span', { class: 'label', text: spaced(stage) }),
      html('div', { class: 'track' }, tail, fill),
      html('span', { class: 'value', text: `${p50.toFixed(1)} · ${p95.toFixed(1)} ms` }),
    );
  });
}

const spaced = (name: string): string => name.replace(/([A-Z])/g, ' $1').toLowerCase();
