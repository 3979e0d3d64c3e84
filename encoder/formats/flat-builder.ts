import { Builder } from 'flatbuffers';

/** A field of a table: a number of a known width, or the offset of something built before. */
export type FlatField =
  | { readonly at: number; readonly int8: number }
  | { readonly at: number; readonly int32: number }
  | { readonly at: number; readonly offset: number };

/** Writes tables of a FlatBuffers file by field number: the counterpart of FlatTable. */
export class FlatBuilder {
  readonly #builder = new Builder(1 << 16);

  /** @returns its offset, for a field of another table. */
  table(...fields: readonly FlatField[]): number {
    const builder = this.#builder;
    builder.startObject(Math.max(0, ...fields.map(({ at }) => at + 1)));
    for (const field of fields) {
      if ('int8' in field) builder.addFieldInt8(field.at, field.int8, 0);
      else if ('int32' in field) builder.addFieldInt32(field.at, field.int32, 0);
      else builder.addFieldOffset(field.at, field.offset, 0);
    }
    return builder.endObject();
  }

  tables(offsets: readonly number[]): number {
    this.#builder.startVector(4, offsets.length, 4);
    for (const offset of [...offsets].reverse()) this.#builder.addOffset(offset);
    return this.#builder.endVector();
  }

  ints(values: readonly number[]): number {
    this.#builder.startVector(4, values.length, 4);
    for (const value of [...values].reverse()) this.#builder.addInt32(value);
    return this.#builder.endVector();
  }

  longs(values: readonly number[]): number {
    this.#builder.startVector(8, values.length, 8);
    for (const value of [...values].reverse()) this.#builder.addInt64(BigInt(value));
    return this.#builder.endVector();
  }

  floats(values: ArrayLike<number>): number {
    this.#builder.startVector(4, values.length, 4);
    for (let i = values.length - 1; i >= 0; i--) this.#builder.addFloat32(values[i]!);
    return this.#builder.endVector();
  }

  /** Aligned to 16 bytes, as engines that use weights in place need. */
  bytes(values: Uint8Array): number {
    this.#builder.startVector(1, values.length, 16);
    for (let i = values.length - 1; i >= 0; i--) this.#builder.addInt8(values[i]!);
    return this.#builder.endVector();
  }

  text(value: string): number {
    return this.#builder.createString(value);
  }

  finish(root: number, identifier: string): Uint8Array {
    this.#builder.finish(root, identifier);
    return this.#builder.asUint8Array();
  }
}
