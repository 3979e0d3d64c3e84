import type { Readable } from 'node:stream';

const LINE = /^frame:\s*\d+\s+pts:\s*(\S+)/;

/** Presentation stamps printed by FFmpeg's `metadata` filter, in the order of the frames. */
export class PtsLines {
  readonly #stream: Readable;
  readonly #stamps: number[] = [];
  #rest = '';
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(stream: Readable) {
    this.#stream = stream;
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => this.#push(text));
    stream.on('error', () => this.close());
    stream.on('close', () => this.close());
  }

  /** The next stamp; NaN where the frame has none or the child has died. */
  async next(): Promise<number> {
    while (this.#stamps.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#stamps.shift() ?? NaN;
  }

  close(): void {
    this.#ended = true;
    this.#stream.destroy();
    this.#wake?.();
  }

  #push(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const match = LINE.exec(line);
      if (match !== null) this.#stamps.push(Number(match[1]));
    }
    this.#wake?.();
  }
}
