import type { ViewWeight } from '../core/types.js';
import { html, setText, svg } from './dom.js';
import { degrees, percent } from './format.js';

/** One set without this camera is no news. */
const BLINK_MS = 800;
const RADIUS = 20;
const ROUND = 2 * Math.PI * RADIUS;

/** One camera's view of a person: a ring for its share of the score, a head turned by its yaw. */
export class ViewDial {
  readonly element: HTMLElement;
  readonly #share = svg('circle', {
    class: 'share',
    attributes: { cx: 24, cy: 24, r: RADIUS, transform: 'rotate(-90 24 24)' },
  });
  readonly #head = svg(
    'g',
    { class: 'head' },
    svg('path', { class: 'nose', attributes: { d: 'M20.4 31.5 L24 38.5 L27.6 31.5Z' } }),
    svg('ellipse', { attributes: { cx: 24, cy: 24, rx: 7.4, ry: 8.6 } }),
  );
  readonly #yaw = html('span', { class: 'yaw' });
  readonly #weight = html('span', { class: 'weight' });
  #seenAtMs = -Infinity;

  constructor(cameraId: string, colour: string) {
    this.#share.style.stroke = colour;
    this.element = html(
      'div',
      { class: 'dial' },
      svg(
        'svg',
        { attributes: { viewBox: '0 0 48 48', 'aria-hidden': 'true' } },
        svg('circle', { class: 'track', attributes: { cx: 24, cy: 24, r: RADIUS } }),
        this.#share,
        this.#head,
      ),
      html(
        'div',
        {},
        html('div', { class: 'camera', text: cameraId, title: cameraId }),
        html('div', { class: 'figures' }, this.#weight, this.#yaw),
      ),
    );
  }

  /** `undefined`: this camera does not see the person now. */
  show(view: ViewWeight | undefined): void {
    if (view !== undefined) this.#seenAtMs = performance.now();
    else if (performance.now() - this.#seenAtMs < BLINK_MS) return;
    this.element.classList.toggle('unseen', view === undefined);
    const { weight = 0, yawDeg = 0, quality = 0 } = view ?? {};
    // A round cap would show even on a share of nothing.
    this.#share.style.visibility = weight > 0.005 ? 'visible' : 'hidden';
    this.#share.setAttribute('stroke-dasharray', `${weight * ROUND} ${ROUND}`);
    // Seen from above, the camera below: a nose to the right of its picture points right here too.
    this.#head.setAttribute('transform', `rotate(${-yawDeg} 24 24)`);
    setText(this.#weight, view === undefined ? 'unseen' : percent(weight));
    setText(this.#yaw, view === undefined ? '' : degrees(yawDeg));
    const told = `weight ${percent(weight)}, yaw ${degrees(yawDeg)}, quality ${percent(quality)}`;
    this.element.title = view === undefined ? 'not seen by this camera' : told;
  }
}
