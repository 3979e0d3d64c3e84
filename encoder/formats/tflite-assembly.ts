import type { QuantParams } from '../quantise/scheme.js';
import { FlatBuilder, type FlatField } from './flat-builder.js';

/** Numbers of TensorFlow Lite's schema version 3 for what is written. */
const TFLITE_OPERATORS = {
  ADD: { number: 0, version: 1, int8Version: 2, options: 11 },
  CONV_2D: { number: 3, version: 1, int8Version: 3, options: 1 },
  DEPTHWISE_CONV_2D: { number: 4, version: 1, int8Version: 3, options: 2 },
  DEQUANTIZE: { number: 6, version: 2, int8Version: 2, options: 0 },
  FULLY_CONNECTED: { number: 9, version: 1, int8Version: 4, options: 8 },
  L2_NORMALIZATION: { number: 11, version: 1, int8Version: 2, options: 12 },
  MAX_POOL_2D: { number: 17, version: 1, int8Version: 2, options: 5 },
  RESHAPE: { number: 22, version: 1, int8Version: 1, options: 17 },
  MEAN: { number: 40, version: 1, int8Version: 2, options: 27 },
  QUANTIZE: { number: 114, version: 1, int8Version: 1, options: 0 },
} as const;
export type TfliteOperatorName = keyof typeof TFLITE_OPERATORS;

const TYPE = { float32: 0, int32: 2, int8: 9 } as const;

/** One scale, or one a slice along `axis`; zero points are those of signed bytes. */
export interface TfliteQuantization {
  readonly scales: ArrayLike<number>;
  readonly zeroPoints: readonly number[];
  readonly axis?: number;
}

/** The same numbers as signed bytes. */
export const signed = ({ scale, zeroPoint }: QuantParams): TfliteQuantization => ({
  scales: [scale],
  zeroPoints: [zeroPoint - 128],
});

interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly buffer: number;
  readonly quantization: TfliteQuantization | undefined;
}

interface Step {
  readonly code: number;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly optionsType: number;
  readonly options: readonly FlatField[];
}

/** Tensors and operators of a .tflite file in the making. */
export class TfliteAssembly {
  readonly #tensors: Tensor[] = [];
  /** Buffer 0 is the empty one of computed tensors. */
  readonly #buffers: Uint8Array[] = [new Uint8Array(0)];
  readonly #codes: { readonly number: number; readonly version: number }[] = [];
  readonly #steps: Step[] = [];

  /** A computed tensor: float, or bytes where it is quantised. */
  computed(name: string, shape: readonly number[], quantization?: TfliteQuantization): number {
    const type = quantization === undefined ? TYPE.float32 : TYPE.int8;
    return this.#tensors.push({ name, shape, type, buffer: 0, quantization }) - 1;
  }

  constant(
    name: string,
    shape: readonly number[],
    data: Float32Array | Int32Array | Int8Array,
    quantization?: TfliteQuantization,
  ): number {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const buffer = this.#buffers.push(bytes) - 1;
    const type = data instanceof Float32Array ? TYPE.float32 : data instanceof Int32Array ? TYPE.int32 : TYPE.int8; // prettier-ignore
    return this.#tensors.push({ name, shape, type, buffer, quantization }) - 1;
  }

  operator(
    name: TfliteOperatorName,
    inputs: readonly number[],
    output: number,
    options: readonly FlatField[] = [],
  ): number {
    const { number, version, int8Version, options: optionsType } = TFLITE_OPERATORS[name];
    const bytes = this.#tensors[output]!.type === TYPE.int8;
    const needed = { number, version: bytes ? int8Version : version };
    let code = this.#codes.findIndex((known) => known.number === number && known.version === needed.version); // prettier-ignore
    if (code < 0) code = this.#codes.push(needed) - 1;
    this.#steps.push({ code, inputs, outputs: [output], optionsType, options });
    return output;
  }

  shapeOf(tensor: number): readonly number[] {
    return this.#tensors[tensor]!.shape;
  }

  build(name: string, inputs: readonly number[], outputs: readonly number[]): Uint8Array {
    const flat = new FlatBuilder();
    const buffers = this.#buffers.map((data) => data.length === 0 ? flat.table() : flat.table({ at: 0, offset: flat.bytes(data) })); // prettier-ignore
    const codes = this.#codes.map(({ number, version }) =>
      flat.table({ at: 0, int8: number }, { at: 2, int32: version }, { at: 3, int32: number }),
    );
    const tensors = this.#tensors.map((tensor) => tensorTable(flat, tensor));
    const steps = this.#steps.map((step) => stepTable(flat, step));
    const graph = flat.table(
      { at: 0, offset: flat.tables(tensors) },
      { at: 1, offset: flat.ints(inputs) },
      { at: 2, offset: flat.ints(outputs) },
      { at: 3, offset: flat.tables(steps) },
      { at: 4, offset: flat.text(name) },
    );
    const model = flat.table(
      { at: 0, int32: 3 },
      { at: 1, offset: flat.tables(codes) },
      { at: 2, offset: flat.tables([graph]) },
      { at: 3, offset: flat.text('clmex') },
      { at: 4, offset: flat.tables(buffers) },
    );
    return flat.finish(model, 'TFL3');
  }
}

function tensorTable(flat: FlatBuilder, tensor: Tensor): number {
  const { name, shape, type, buffer, quantization } = tensor;
  const fields: FlatField[] = [
    { at: 0, offset: flat.ints(shape) },
    { at: 1, int8: type },
    { at: 2, int32: buffer },
    { at: 3, offset: flat.text(name) },
  ];
  if (quantization !== undefined) {
    const { scales, zeroPoints, axis = 0 } = quantization;
    const offset = flat.table(
      { at: 2, offset: flat.floats(scales) },
      { at: 3, offset: flat.longs(zeroPoints) },
      { at: 6, int32: axis },
    );
    fields.push({ at: 4, offset });
  }
  return flat.table(...fields);
}

function stepTable(flat: FlatBuilder, { code, inputs, outputs, optionsType, options }: Step) {
  const fields: FlatField[] = [
    { at: 0, int32: code },
    { at: 1, offset: flat.ints(inputs) },
    { at: 2, offset: flat.ints(outputs) },
  ];
  if (optionsType > 0)
    fields.push({ at: 3, int8: optionsType }, { at: 4, offset: flat.table(...options) });
  return flat.table(...fields);
}
