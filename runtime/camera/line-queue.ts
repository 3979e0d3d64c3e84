import type { Readable } from 'node:stream';

/** What a child process says line by line, as values to wait for in order. */
export class LineQueue<T> {
  readonly #stream: Readable;
  readonly #read: (line: string) => T | undefined;
  readonly #end: T;
  readonly #values: T[] = [];
  #rest = '';
  #ended = false;
  #wake: (() => void) | undefined;

  /**
   * @param read a line's value; undefined for a line of no interest.
   * @param end given for ever once the child says nothing more.
   */
  constructor(stream: Readable, read: (line: string) => T | undefined, end: T) {
    this.#stream = stream;
    this.#read = read;
    this.#end = end;
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => this.#push(text));
    stream.on('error', () => this.close());
    stream.on('close', () => this.close());
  }

  async next(): Promise<T> {
    while (this.#values.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#values.shift() ?? this.#end;
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
      const value = this.#read(line);
      if (value !== undefined) this.#values.push(value);
    }
    this.#wake?.();
  }
}
