import { readSync, writeSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';

/** Messages over a pipe: length as uint32, little-endian, then the message as V8 serialises it. */
export function encodeFrame(message: unknown): Buffer {
  const body = serialize(message);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length);
  return Buffer.concat([length, body]);
}

/** Cuts a stream of pieces into messages. */
export class FrameReader {
  #pieces: Buffer[] = [];
  #length = 0;

  push(piece: Buffer): unknown[] {
    this.#pieces.push(piece);
    this.#length += piece.length;
    const messages: unknown[] = [];
    while (this.#length >= 4 && this.#length >= 4 + this.#bodyLength()) {
      const all = Buffer.concat(this.#pieces);
      const end = 4 + all.readUInt32LE(0);
      messages.push(deserialize(all.subarray(4, end)));
      this.#pieces = [all.subarray(end)];
      this.#length = all.length - end;
    }
    return messages;
  }

  #bodyLength(): number {
    if (this.#pieces[0]!.length < 4) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0]!.readUInt32LE(0);
  }
}

const STANDARD_INPUT = 0;
const STANDARD_OUTPUT = 1;
const RETRY_MS = 1;

/** Waits for the owner's next message; undefined when the owner is gone. */
export function receive(): unknown {
  const head = readFully(4);
  const body = head && readFully(head.readUInt32LE(0));
  return body && deserialize(body);
}

export function send(message: unknown): void {
  const frame = encodeFrame(message);
  for (let at = 0; at < frame.length;) {
    at += patiently(() => writeSync(STANDARD_OUTPUT, frame, at, frame.length - at));
  }
}

function readFully(length: number): Buffer | undefined {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length;) {
    const count = patiently(() => readSync(STANDARD_INPUT, bytes, at, length - at, null));
    if (count === 0) return undefined;
    at += count;
  }
  return bytes;
}

/** A pipe may be non-blocking where another process made it so. */
function patiently(run: () => number): number {
  for (;;) {
    try {
      return run();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
}
