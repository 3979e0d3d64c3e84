import type { Client } from '../sdk/index.js';
import { html } from './dom.js';
import { PersonCard } from './person-card.js';

/** Everybody in front of the rig, one card a person. */
export class People {
  readonly #place: HTMLElement;
  readonly #cards = new Map<string, PersonCard>();
  readonly #empty = html(
    'div',
    { class: 'card empty' },
    html('div', { class: 'ghost' }),
    html('h3', { text: 'Nobody here' }),
    html('p', { text: 'A card appears for everybody whom the cameras see.' }),
  );

  constructor(place: HTMLElement) {
    this.#place = place;
    this.clear();
  }

  follow(client: Client): void {
    this.clear();
    client.on('subject', ({ kind, subject }) => {
      if (kind === 'left') this.#remove(subject.subjectId);
      else this.#showLatest(client, subject.subjectId);
    });
    client.on('scores', (score) => this.#cardOf(client, score.subjectId)?.show(score));
    for (const subjectId of client.latest.keys()) this.#showLatest(client, subjectId);
  }

  clear(): void {
    this.#cards.clear();
    this.#place.replaceChildren(this.#empty);
  }

  draw(): void {
    for (const card of this.#cards.values()) card.draw();
  }

  /** Somebody's first score may come before the word that they are there. */
  #showLatest(client: Client, subjectId: string): void {
    const score = client.latest.get(subjectId);
    if (score !== undefined && !this.#cards.has(subjectId))
      this.#cardOf(client, subjectId)?.show(score);
  }

  #cardOf(client: Client, subjectId: string): PersonCard | undefined {
    const known = this.#cards.get(subjectId);
    const subject = client.subjects.get(subjectId);
    if (known !== undefined || subject === undefined) return known;
    const card = new PersonCard(subject, client.labels, client.cameraIds);
    this.#cards.set(subjectId, card);
    this.#empty.remove();
    this.#place.append(card.element);
    return card;
  }

  #remove(subjectId: string): void {
    const card = this.#cards.get(subjectId);
    if (card === undefined) return;
    this.#cards.delete(subjectId);
    card.element.classList.add('leaving');
    setTimeout(() => {
      card.element.remove();
      if (this.#cards.size === 0) this.#place.append(this.#empty);
    }, 400);
  }
}
