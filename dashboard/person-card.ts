import type { Subject } from '../core/protocol.js';
import type { ExpressionScores } from '../core/types.js';
import { html, setText } from './dom.js';
import { percent } from './format.js';
import { Glyph } from './glyph.js';
import { labelColour, personColour } from './palette.js';
import { Timeline } from './timeline.js';
import { ViewDial } from './view-dial.js';

interface Bar {
  readonly label: string;
  readonly row: HTMLElement;
  readonly fill: HTMLElement;
  readonly value: HTMLElement;
}

/** One person: the drawn face, the label bars, the last seconds, and what each view contributes. */
export class PersonCard {
  readonly element: HTMLElement;
  readonly #labels: readonly string[];
  readonly #glyph = new Glyph();
  readonly #top = html('div', { class: 'top', text: '…' });
  readonly #confidence = html('div', { class: 'confidence' });
  readonly #seen = html('div', { class: 'seen' });
  readonly #bars: readonly Bar[];
  readonly #timeline: Timeline;
  readonly #dials: ReadonlyMap<string, ViewDial>;

  constructor(subject: Subject, labels: readonly string[], cameraIds: readonly string[]) {
    const { subjectId } = subject;
    const colour = personColour(subjectId);
    this.#labels = labels;
    this.#bars = labels.map(makeBar);
    this.#timeline = new Timeline(labels);
    this.#dials = new Map(cameraIds.map((id) => [id, new ViewDial(id, colour)]));
    const name = html('span', { class: 'name', text: subjectId });
    name.style.color = colour;
    this.element = html(
      'article',
      { class: 'card person', attributes: { 'data-subject': subjectId } },
      html(
        'header',
        {},
        this.#glyph.element,
        html('div', { class: 'who' }, html('div', { class: 'line' }, name, this.#seen), this.#top),
        this.#confidence,
      ),
      html(
        'div',
        { class: 'body' },
        html('div', { class: 'bars' }, ...this.#bars.map(({ row }) => row)),
        html(
          'div',
          { class: 'history' },
          this.#timeline.element,
          html(
            'div',
            { class: 'axis' },
            html('span', { text: '20 s ago' }),
            html('span', { text: 'now' }),
          ),
        ),
      ),
      html('div', { class: 'dials' }, ...[...this.#dials.values()].map(({ element }) => element)),
    );
    this.element.style.setProperty('--person', colour);
  }

  show(score: ExpressionScores): void {
    const { scores, top, confidence, views } = score;
    const colour = labelColour(top, this.#labels.indexOf(top));
    this.#timeline.push(score);
    this.#glyph.show(scores, colour);
    setText(this.#top, top);
    this.#top.style.color = colour;
    setText(this.#confidence, percent(confidence));
    setText(this.#seen, `seen from ${views.length === 1 ? 'one side' : `${views.length} sides`}`);
    for (const { label, row, fill, value } of this.#bars) {
      const share = scores[label] ?? 0;
      fill.style.transform = `scaleX(${share})`;
      setText(value, percent(share));
      row.classList.toggle('best', label === top);
    }
    for (const [id, dial] of this.#dials) dial.show(views.find(({ cameraId }) => cameraId === id));
  }

  draw(): void {
    this.#timeline.draw();
  }
}

function makeBar(label: string, index: number): Bar {
  const fill = html('div', { class: 'fill' });
  fill.style.background = labelColour(label, index);
  const value = html('span', { class: 'value', text: '0 %' });
  const row = html(
    'div',
    { class: 'bar', attributes: { 'data-label': label } },
    html('span', { class: 'label', text: label }),
    html('div', { class: 'track' }, fill),
    value,
  );
  return { label, row, fill, value };
}
