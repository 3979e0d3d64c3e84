import type { RawFrame } from '../../core/types.js';

/** Frames between a live source and its consumer: a few, the oldest gives way. */
export class LiveQueue {
  readonly #limit: number;
  readonly #dropped: () => void;
  readonly #frames: RawFrame[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(limit: number, dropped: () => void) {
    this.#limit = limit;
    this.#dropped = dropped;
  }

  push(frame: RawFrame): void {
    if (this.#ended) {
      frame.close();
      return;
    }
    this.#frames.push(frame);
    if (this.#frames.length > this.#limit) {
      this.#frames.shift()!.close();
      this.#dropped();
    }
    this.#wake?.();
  }

  /** Undefined when the queue has ended. */
  async next(): Promise<RawFrame | undefined> {
    while (this.#frames.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#frames.shift();
  }

  end(): void {
    this.#ended = true;
    for (const frame of this.#frames.splice(0)) frame.close();
    this.#wake?.();
  }
}
