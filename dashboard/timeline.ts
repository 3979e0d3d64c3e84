import type { ExpressionScores } from '../core/types.js';
import { fitCanvas, html } from './dom.js';
import { labelColour } from './palette.js';

const SPAN_MS = 20_000;
const GRID_MS = 5000;
/** A longer silence is drawn as a gap. */
const GAP_MS = 700;

/** The last seconds of one person's scores as stacked bands, oldest left. */
export class Timeline {
  readonly element = html('canvas', { class: 'timeline' });
  readonly #labels: readonly string[];
  #samples: ExpressionScores[] = [];
  /** Runtime's clock minus this page's, so that the picture flows between scores. */
  #offsetMs = 0;

  constructor(labels: readonly string[]) {
    this.#labels = labels;
  }

  push(score: ExpressionScores): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && score.atMs < last.atMs) this.#samples = [];
    this.#samples.push(score);
    this.#offsetMs = score.atMs - performance.now();
    const oldest = score.atMs - SPAN_MS - GAP_MS;
    while (this.#samples[0] !== undefined && this.#samples[0].atMs < oldest) this.#samples.shift();
  }

  draw(): void {
    const context = this.element.getContext('2d');
    if (context === null) return;
    const { width, height } = fitCanvas(this.element);
    const nowMs = performance.now() + this.#offsetMs;
    const x = (atMs: number): number => width - ((nowMs - atMs) / SPAN_MS) * width;
    context.clearRect(0, 0, width, height);
    for (const run of this.#runs()) this.#drawRun(context, run, x, height);
    context.fillStyle = 'rgba(255, 255, 255, 0.07)';
    for (let back = GRID_MS; back < SPAN_MS; back += GRID_MS) {
      context.fillRect(Math.round(x(nowMs - back)), 0, 1, height);
    }
  }

  /** Stretches of samples without a gap. */
  *#runs(): Iterable<ExpressionScores[]> {
    let run: ExpressionScores[] = [];
    for (const sample of this.#samples) {
      const last = run.at(-1);
      if (last !== undefined && sample.atMs - last.atMs > GAP_MS) {
        yield run;
        run = [];
      }
      run.push(sample);
    }
    if (run.length > 1) yield run;
  }

  #drawRun(
    context: CanvasRenderingContext2D,
    run: readonly ExpressionScores[],
    x: (atMs: number) => number,
    height: number,
  ): void {
    const xs = run.map(({ atMs }) => x(atMs));
    let below = run.map(() => height);
    for (const [i, label] of this.#labels.entries()) {
      const above = below.map((y, k) => y - (run[k]!.scores[label] ?? 0) * height);
      context.beginPath();
      above.forEach((y, k) => context.lineTo(xs[k]!, y));
      for (let k = run.length - 1; k >= 0; k--) context.lineTo(xs[k]!, below[k]!);
      context.closePath();
      context.fillStyle = labelColour(label, i);
      context.globalAlpha = label === 'neutral' ? 0.28 : 0.88;
      context.fill();
      below = above;
    }
    context.globalAlpha = 1;
  }
}
