import type { RuntimeStatus } from '../core/protocol.js';
import type { Connection } from '../sdk/index.js';
import { html, setText } from './dom.js';
import { duration } from './format.js';

const SAID: Readonly<Record<Connection['state'], string>> = {
  connecting: 'connecting',
  connected: 'live',
  reconnecting: 'reconnecting',
  closed: 'closed',
};

/** The line at the top: connection and the runtime in a few figures. */
export class Header {
  readonly #pill: HTMLElement;
  readonly #facts: HTMLElement;
  readonly #banner: HTMLElement;

  constructor(pill: HTMLElement, facts: HTMLElement, banner: HTMLElement) {
    this.#pill = pill;
    this.#facts = facts;
    this.#banner = banner;
  }

  connection({ state, error }: Connection): void {
    setText(this.#pill, SAID[state]);
    this.#pill.dataset['state'] = state;
    document.body.dataset['connection'] = state;
    this.#banner.hidden = state === 'connected';
    const said = state === 'closed' ? (error?.message ?? 'the connection is closed') : undefined;
    const waiting =
      state === 'reconnecting'
        ? 'The runtime does not answer; trying again.'
        : 'Waiting for the runtime …';
    setText(this.#banner, said ?? waiting);
  }

  status(status: RuntimeStatus, version: string): void {
    const { engine, uptimeMs, frameSets, stream, cameras } = status;
    if (document.body.dataset['connection'] === 'connected') {
      // Connected says nothing of the cameras: without one that delivers nothing here is live.
      const blind = cameras.length > 0 && cameras.every(({ state }) => state !== 'live');
      setText(this.#pill, blind ? 'no camera' : SAID.connected);
      this.#pill.dataset['state'] = blind ? 'reconnecting' : 'connected';
    }
    const facts: [string, string][] = [
      ['engine', engine],
      ['sets', `${frameSets.rate.toFixed(1)} / s`],
      ['clients', String(stream.clients)],
      ['up', duration(uptimeMs)],
      ['version', version],
    ];
    this.#facts.replaceChildren(
      ...facts.map(([name, value]) =>
        html('span', {}, html('small', { text: name }), html('b', { text: value })),
      ),
    );
  }
}
