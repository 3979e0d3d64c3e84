import { ClmexError } from '../core/errors.js';
import type { ExpressionScores } from '../core/types.js';

export interface ScoresOptions {
  /** Only this person. */
  readonly subject?: string;
  /** Only scores to which this camera contributed. */
  readonly camera?: string;
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
  /** Scores kept while the loop's body is busy, 1 to 10 000; default 16. */
  readonly buffer?: number;
}

/**
 * Scores for `for await`. Keeps the newest few while nobody asks; the older ones it lets go are
 * counted in `dropped`. Ends when its signal aborts or the client closes, throws where the client
 * was closed by an error.
 */
export class ScoreStream implements AsyncIterableIterator<ExpressionScores> {
  readonly #options: ScoresOptions;
  readonly #capacity: number;
  readonly #onEnd: (stream: ScoreStream) => void;
  readonly #kept: ExpressionScores[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #abort = (): void => this.end();
  #dropped = 0;
  #isEnded = false;
  #error: ClmexError | undefined;

  constructor(options: ScoresOptions, onEnd: (stream: ScoreStream) => void) {
    const { buffer = 16, signal } = options;
    if (!Number.isInteger(buffer) || buffer < 1 || buffer > 10_000) {
      const allowed = 'a whole number from 1 to 10000';
      const details = { field: 'buffer', value: buffer, allowed };
      throw new ClmexError('invalid-argument', 'invalid buffer', details);
    }
    this.#options = options;
    this.#capacity = buffer;
    this.#onEnd = onEnd;
    if (signal?.aborted === true) this.end();
    else signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** Scores let go because the loop was slower than they came. */
  get dropped(): number {
    return this.#dropped;
  }

  push(score: ExpressionScores): void {
    const { subject, camera } = this.#options;
    if (this.#isEnded) return;
    if (subject !== undefined && score.subjectId !== subject) return;
    if (camera !== undefined && !score.views.some(({ cameraId }) => cameraId === camera)) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting.resolve({ done: false, value: score });
      return;
    }
    this.#kept.push(score);
    if (this.#kept.length <= this.#capacity) return;
    this.#kept.shift();
    this.#dropped++;
  }

  end(error?: ClmexError): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#onEnd(this);
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (error === undefined) resolve({ done: true, value: undefined });
      else reject(error);
    }
  }

  next(): Promise<IteratorResult<ExpressionScores, undefined>> {
    const value = this.#kept.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<ExpressionScores, undefined>> {
    this.end();
    this.#kept.length = 0;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

interface Waiting {
  readonly resolve: (result: IteratorResult<ExpressionScores, undefined>) => void;
  readonly reject: (error: ClmexError) => void;
}
