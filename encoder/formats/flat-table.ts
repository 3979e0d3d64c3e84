import { ByteBuffer } from 'flatbuffers';
import { ClmexError } from '../../core/errors.js';

/** No model of ours comes near it; a corrupt length does. */
const MOST_ELEMENTS = 1 << 26;

/**
 * A table of a FlatBuffers file, read by field number with every offset checked against the file:
 * a corrupt file ends in an error, never in a wild read.
 */
export class FlatTable {
  readonly #buffer: ByteBuffer;
  readonly #position: number;

  private constructor(buffer: ByteBuffer, position: number) {
    this.#buffer = buffer;
    this.#position = position;
    need(buffer, position, 4);
    const vtable = position - buffer.readInt32(position);
    need(buffer, vtable, 4);
    need(buffer, vtable, buffer.readUint16(vtable));
  }

  /** @throws ClmexError `model-invalid` unless the file carries the identifier. */
  static root(bytes: Uint8Array, identifier: string): FlatTable {
    const buffer = new ByteBuffer(bytes);
    need(buffer, 0, 8);
    const found = String.fromCharCode(...bytes.subarray(4, 8));
    if (found !== identifier) throw corrupt(`identifier '${found}' is not '${identifier}'`);
    return new FlatTable(buffer, buffer.readUint32(0));
  }

  #field(number: number): number {
    const offset = this.#buffer.__offset(this.#position, 4 + 2 * number);
    return offset === 0 ? 0 : this.#position + offset;
  }

  #scalar(number: number, size: number, read: (at: number) => number): number {
    const at = this.#field(number);
    if (at === 0) return 0;
    need(this.#buffer, at, size);
    return read(at);
  }

  int8(number: number): number {
    return this.#scalar(number, 1, (at) => this.#buffer.readInt8(at));
  }
  int32(number: number): number {
    return this.#scalar(number, 4, (at) => this.#buffer.readInt32(at));
  }
  uint32(number: number): number {
    return this.#scalar(number, 4, (at) => this.#buffer.readUint32(at));
  }

  table(number: number): FlatTable | undefined {
    const at = this.#field(number);
    return at === 0 ? undefined : new FlatTable(this.#buffer, this.#follow(at));
  }

  tables(number: number): FlatTable[] {
    const { start, length } = this.#vector(number, 4);
    return Array.from(
      { length },
      (_, i) => new FlatTable(this.#buffer, this.#follow(start + 4 * i)),
    );
  }

  ints(number: number): number[] {
    const { start, length } = this.#vector(number, 4);
    return Array.from({ length }, (_, i) => this.#buffer.readInt32(start + 4 * i));
  }
  floats(number: number): number[] {
    const { start, length } = this.#vector(number, 4);
    return Array.from({ length }, (_, i) => this.#buffer.readFloat32(start + 4 * i));
  }
  longs(number: number): number[] {
    const { start, length } = this.#vector(number, 8);
    return Array.from({ length }, (_, i) => Number(this.#buffer.readInt64(start + 8 * i)));
  }
  uint16s(number: number): number[] {
    const { start, length } = this.#vector(number, 2);
    return Array.from({ length }, (_, i) => this.#buffer.readUint16(start + 2 * i));
  }

  /** The bytes of a [ubyte] vector; they share the file's memory. */
  bytes(number: number): Uint8Array {
    const { start, length } = this.#vector(number, 1);
    return this.#buffer.bytes().subarray(start, start + length);
  }

  text(number: number): string {
    return new TextDecoder().decode(this.bytes(number));
  }

  #follow(at: number): number {
    need(this.#buffer, at, 4);
    return at + this.#buffer.readUint32(at);
  }

  #vector(number: number, size: number): { start: number; length: number } {
    const at = this.#field(number);
    if (at === 0) return { start: 0, length: 0 };
    const start = this.#follow(at);
    need(this.#buffer, start, 4);
    const length = this.#buffer.readUint32(start);
    if (length > MOST_ELEMENTS) throw corrupt(`a vector of ${length} elements`);
    need(this.#buffer, start + 4, length * size);
    return { start: start + 4, length };
  }
}

function need(buffer: ByteBuffer, at: number, size: number): void {
  if (at < 0 || at + size > buffer.capacity())
    throw corrupt(`bytes ${at} to ${at + size} of ${buffer.capacity()}`);
}

function corrupt(what: string): ClmexError {
  return new ClmexError('model-invalid', `truncated or corrupt FlatBuffers file: ${what}`);
}
