import { ClmexError } from '../../core/errors.js';
import type { Weights } from '../graph.js';
import type { FlatTable } from './flat-table.js';
import type { TfliteTensor } from './tflite-file.js';

const TYPE = { float32: 0, float16: 1, int32: 2, int8: 9 } as const;
const MOST_ELEMENTS = 1 << 26;

/** Elements of a shape. @throws ClmexError `model-invalid` for negative or absurd sizes. */
function elementsOf(shape: readonly number[], name: string): number {
  const count = shape.reduce((product, size) => (size < 0 ? NaN : product * size), 1);
  if (shape.length <= 6 && count <= MOST_ELEMENTS) return count;
  throw new ClmexError('model-invalid', 'impossible tensor shape', {
    field: name,
    value: shape,
    allowed: `up to 6 dimensions, ${MOST_ELEMENTS} elements`,
  });
}

/**
 * A constant tensor as float32: half precision widened, sparse layouts filled in, quantised integers
 * multiplied by their scales, others (axes, sizes, paddings) as they are.
 */
export function readWeights(tensor: TfliteTensor): Weights {
  const values = decode(tensor);
  const count = elementsOf(tensor.shape, tensor.name);
  const dense = tensor.sparsity === undefined ? values : densify(tensor, tensor.sparsity, values);
  const data = dequantized(tensor, dense);
  if (data.length !== count)
    throw new ClmexError('model-invalid', 'a constant does not fill its shape', {
      field: tensor.name,
      value: data.length,
      allowed: `${count} values`,
    });
  return { shape: tensor.shape, data };
}

function dequantized({ shape, quantization }: TfliteTensor, data: Float32Array): Float32Array {
  const { scales, zeroPoints, axis } = quantization;
  if (scales.length === 0) return data;
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  return data.map((q, i) => {
    const slice = Math.floor(i / inner) % scales.length;
    return (q - (zeroPoints[slice] ?? 0)) * scales[slice]!;
  });
}

function decode({ name, type, data }: TfliteTensor): Float32Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  switch (type) {
    case TYPE.float32:
      return Float32Array.from({ length: data.length >> 2 }, (_, i) =>
        view.getFloat32(4 * i, true),
      );
    case TYPE.float16:
      return Float32Array.from({ length: data.length >> 1 }, (_, i) =>
        halfToFloat(view.getUint16(2 * i, true)),
      );
    case TYPE.int32:
      return Float32Array.from({ length: data.length >> 2 }, (_, i) => view.getInt32(4 * i, true));
    case TYPE.int8:
      return Float32Array.from({ length: data.length }, (_, i) => view.getInt8(i));
    default:
      throw new ClmexError('unsupported', 'constants of this type are not read', {
        field: name,
        value: type,
        allowed: 'float32 (0), float16 (1), int32 (2), int8 (9)',
      });
  }
}

/** IEEE 754 binary16 to a number. */
function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

interface Dimension {
  readonly size: number;
  /** Compressed rows: where each parent's entries start, and their indices. */
  readonly segments?: readonly number[];
  readonly indices?: readonly number[];
}

/**
 * Fills in a sparse tensor (SparsityParameters of the schema: traversal order, dimensions dense or
 * in compressed rows). Blocked layouts are not used by the models read here.
 */
function densify(tensor: TfliteTensor, sparsity: FlatTable, values: Float32Array): Float32Array {
  const order = sparsity.ints(0);
  const dimensions = sparsity.tables(2).map(readDimension);
  const rank = tensor.shape.length;
  const sound =
    sparsity.ints(1).length === 0 &&
    dimensions.length === rank &&
    [...order].sort((a, b) => a - b).every((axis, i) => axis === i) &&
    order.length === rank;
  if (!sound)
    throw new ClmexError('unsupported', 'sparse layout that is not read', {
      field: tensor.name,
      allowed: 'unblocked, each dimension once',
    });
  const dense = new Float32Array(elementsOf(tensor.shape, tensor.name));
  const index = new Array<number>(rank).fill(0);
  const walk = (level: number, parent: number): void => {
    if (level === rank) {
      const at = index.reduce((sum, i, axis) => sum * tensor.shape[axis]! + i, 0);
      dense[at] = values[parent] ?? NaN;
      return;
    }
    const { size, segments, indices } = dimensions[level]!;
    const axis = order[level]!;
    if (segments === undefined || indices === undefined) {
      const length = Math.min(size, tensor.shape[axis]!);
      for (let i = 0; i < length; i++) {
        index[axis] = i;
        walk(level + 1, parent * size + i);
      }
      return;
    }
    const end = Math.min(segments[parent + 1] ?? 0, indices.length);
    for (let entry = segments[parent] ?? 0; entry < end; entry++) {
      index[axis] = Math.min(indices[entry]!, tensor.shape[axis]! - 1);
      walk(level + 1, entry);
    }
  };
  walk(0, 0);
  return dense;
}

function readDimension(table: FlatTable): Dimension {
  const size = Math.max(0, table.int32(1));
  if (table.int8(0) === 0) return { size };
  return { size, segments: indexVector(table, 2), indices: indexVector(table, 4) };
}

/** The union SparseIndexVector: type number at `field`, table at the next. */
function indexVector(table: FlatTable, field: number): readonly number[] {
  const vector = table.table(field + 1);
  if (vector === undefined) return [];
  switch (table.int8(field)) {
    case 1:
      return vector.ints(0);
    case 2:
      return vector.uint16s(0);
    case 3:
      return Array.from(vector.bytes(0));
    default:
      return [];
  }
}
