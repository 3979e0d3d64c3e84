import { createWriteStream, type WriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { ClmexError } from '../core/errors.js';

/** A text file written aside, line by line, that takes its name when it is whole. */
export class LineFile {
  readonly #path: string;
  readonly #aside: string;
  readonly #stream: WriteStream;
  #failure: Error | undefined;

  private constructor(path: string) {
    this.#path = path;
    this.#aside = `${path}.tmp-${process.pid}`;
    this.#stream = createWriteStream(this.#aside);
    this.#stream.on('error', (error) => (this.#failure = error));
  }

  /** @throws ClmexError `invalid-argument` where the file cannot be written. */
  static async create(path: string): Promise<LineFile> {
    const file = new LineFile(path);
    try {
      await once(file.#stream, 'open');
    } catch (cause) {
      throw new ClmexError('invalid-argument', 'cannot write the file', {
        field: '--out',
        value: path,
        allowed: 'a path in a directory that exists and may be written',
        cause,
      });
    }
    return file;
  }

  async write(line: string): Promise<void> {
    if (this.#failure !== undefined) throw this.#broken();
    if (!this.#stream.write(`${line}\n`)) {
      await Promise.race([once(this.#stream, 'drain'), once(this.#stream, 'error')]).catch(() => {
        throw this.#broken();
      });
    }
  }

  async close(): Promise<void> {
    this.#stream.end();
    await finished(this.#stream).catch(() => {
      throw this.#broken();
    });
    await rename(this.#aside, this.#path);
  }

  async discard(): Promise<void> {
    this.#stream.destroy();
    await rm(this.#aside, { force: true });
  }

  #broken(): ClmexError {
    return new ClmexError('invalid-argument', 'writing the file failed', {
      field: '--out',
      value: this.#path,
      cause: this.#failure,
    });
  }
}
