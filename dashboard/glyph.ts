import { svg } from './dom.js';

/** How a drawn face shows one expression; 0 for each is a calm face. */
interface Features {
  /** −1 corners down … 1 corners up. */
  readonly smile: number;
  /** 0 closed … 1 wide open. */
  readonly open: number;
  /** −1 lowered … 1 raised. */
  readonly brow: number;
  /** −1 inner ends down (angry) … 1 inner ends up (sad, afraid). */
  readonly slant: number;
  /** −1 narrowed … 1 wide. */
  readonly eyes: number;
  /** 0 … 1 raised upper lip on one side. */
  readonly sneer: number;
}
const CALM: Features = { smile: 0, open: 0, brow: 0, slant: 0, eyes: 0, sneer: 0 };
const FEATURES: Readonly<Record<string, Partial<Features>>> = {
  happiness: { smile: 1, open: 0.35, brow: 0.15, eyes: -0.35 },
  sadness: { smile: -0.8, slant: 0.9, brow: 0.1, eyes: -0.2 },
  surprise: { open: 1, brow: 1, eyes: 0.9 },
  fear: { smile: -0.45, open: 0.5, brow: 0.7, slant: 0.8, eyes: 0.8 },
  anger: { smile: -0.6, brow: -0.7, slant: -1, eyes: -0.15 },
  disgust: { smile: -0.55, brow: -0.4, slant: -0.4, eyes: -0.6, sneer: 1 },
};

/** A drawn face that wears the mixture of expressions a person shows. */
export class Glyph {
  readonly element: SVGSVGElement;
  readonly #rim = svg('circle', { class: 'rim', attributes: { cx: 40, cy: 40, r: 37 } });
  readonly #brows = [svg('path', { class: 'line' }), svg('path', { class: 'line' })];
  readonly #eyes = [-1, 1].map((side) =>
    svg('ellipse', { class: 'dot', attributes: { cx: 40 + side * 13, cy: 34, rx: 3.4 } }),
  );
  readonly #mouth = svg('path', { class: 'mouth' });

  constructor() {
    this.element = svg(
      'svg',
      { class: 'glyph', attributes: { viewBox: '0 0 80 80', 'aria-hidden': 'true' } },
      this.#rim,
      ...this.#brows,
      ...this.#eyes,
      this.#mouth,
    );
    this.show({}, 'currentColor');
  }

  show(scores: Readonly<Record<string, number>>, colour: string): void {
    const { smile, open, brow, slant, eyes, sneer } = mix(scores);
    this.#rim.style.stroke = colour;
    this.#rim.style.fill = colour;
    for (const [i, side] of [-1, 1].entries()) {
      const lift = 24 - brow * 5 - (side > 0 ? 0 : sneer * -2);
      const outer = `${40 + side * 20} ${lift + slant * 3.5}`;
      const inner = `${40 + side * 7} ${lift - slant * 4}`;
      const bend = `${40 + side * 14} ${lift - 2.5 - Math.abs(brow) * 1.5}`;
      this.#brows[i]!.setAttribute('d', `M${outer} Q${bend} ${inner}`);
      this.#eyes[i]!.setAttribute('ry', String(Math.max(1.1, 4 + eyes * 2)));
    }
    this.#mouth.setAttribute('d', mouth(smile, open, sneer));
  }
}

function mouth(smile: number, open: number, sneer: number): string {
  const half = 14 - open * (smile > 0.3 ? 1 : 5);
  const corner = 55 - smile * 4;
  const upper = 55 + smile * 4 - open * 7;
  const lower = 55 + smile * 7 + open * 12 + 0.4;
  const left = `${40 - half} ${corner - sneer * 4}`;
  const right = `${40 + half} ${corner}`;
  return `M${left} Q40 ${upper} ${right} Q40 ${lower} ${left}Z`;
}

function mix(scores: Readonly<Record<string, number>>): Features {
  const sum = { ...CALM } as Record<keyof Features, number>;
  for (const [label, share] of Object.entries(scores)) {
    for (const [name, value] of Object.entries(FEATURES[label] ?? {})) {
      sum[name as keyof Features] += share * value;
    }
  }
  return sum;
}
