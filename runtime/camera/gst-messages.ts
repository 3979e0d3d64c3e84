import type { Readable } from 'node:stream';

const BUFFER = /clmexstamp: last-message = chain .*?pts: (\S+?),/;
const CAPS =
  /clmexstamp\.GstPad:src: caps = video\/x-raw.*?width=\(int\)(\d+), height=\(int\)(\d+)/;
const TIME = /^(\d+):(\d+):(\d+\.\d+)$/;

export interface GstBuffer {
  /** 0 where the pipeline has ended. */
  readonly width: number;
  readonly height: number;
  /** NaN where the buffer has no stamp. */
  readonly stampMs: number;
}

const END: GstBuffer = { width: 0, height: 0, stampMs: NaN };

/** What gst-launch-1.0 says, with `-v`, about the buffers that pass an identity element. */
export class GstMessages {
  readonly #stream: Readable;
  readonly #buffers: GstBuffer[] = [];
  #rest = '';
  #width = 0;
  #height = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(stream: Readable) {
    this.#stream = stream;
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => this.#push(text));
    stream.on('error', () => this.close());
    stream.on('close', () => this.close());
  }

  async next(): Promise<GstBuffer> {
    while (this.#buffers.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#buffers.shift() ?? END;
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
      const caps = CAPS.exec(line);
      if (caps !== null) [this.#width, this.#height] = [Number(caps[1]), Number(caps[2])];
      const buffer = BUFFER.exec(line);
      if (buffer === null) continue;
      const stampMs = millisecondsOf(buffer[1]!);
      this.#buffers.push({ width: this.#width, height: this.#height, stampMs });
    }
    this.#wake?.();
  }
}

function millisecondsOf(time: string): number {
  const match = TIME.exec(time);
  if (match === null) return NaN;
  const [, hours, minutes, seconds] = match;
  return (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
}
