import { ClmexError } from '../../core/errors.js';
import { FlatTable } from './flat-table.js';

/**
 * What a .tflite file holds, by the field numbers of TensorFlow Lite's schema version 3
 * (tensorflow/lite/schema/schema.fbs).
 */
export interface TfliteFile {
  readonly tensors: readonly TfliteTensor[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly operators: readonly TfliteOperator[];
}

export interface TfliteTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  /** Empty for a tensor that is computed. */
  readonly data: Uint8Array;
  readonly sparsity: FlatTable | undefined;
  /** real = scale × (q − zeroPoint); empty lists for a tensor of floats. */
  readonly quantization: {
    readonly scales: readonly number[];
    readonly zeroPoints: readonly number[];
    /** Dimension along which the scales lie where there are several. */
    readonly axis: number;
  };
}

export interface TfliteOperator {
  readonly name: string;
  /** Tensor indices; −1 for an optional input left out. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options: FlatTable | undefined;
}

/** Builtin operators by number. */
const OPERATORS =
  `ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
  EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
  LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6
  RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL
  CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
  SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
  BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST
  PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN
  TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN
  FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN
  FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
  SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU
  REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
  NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM
  BATCH_MATMUL`.split(/\s+/);

const MODEL = { version: 0, operatorCodes: 1, subgraphs: 2, buffers: 4 } as const;
const CODE = { oldBuiltin: 0, custom: 1, builtin: 3 } as const;
const SUBGRAPH = { tensors: 0, inputs: 1, outputs: 2, operators: 3 } as const;
const TENSOR = { shape: 0, type: 1, buffer: 2, name: 3, quantization: 4, sparsity: 6 } as const;
const QUANTIZATION = { scales: 2, zeroPoints: 3, axis: 6 } as const;
const OPERATOR = { code: 0, inputs: 1, outputs: 2, options: 4 } as const;
const BUFFER = { data: 0 } as const;

/** @throws ClmexError `model-invalid` for a file that is not a sound .tflite of one subgraph. */
export function readTfliteFile(bytes: Uint8Array): TfliteFile {
  const model = FlatTable.root(bytes, 'TFL3');
  const subgraphs = model.tables(MODEL.subgraphs);
  const [graph] = subgraphs;
  if (graph === undefined || subgraphs.length !== 1)
    throw new ClmexError('model-invalid', 'a model of one graph is needed', {
      field: 'subgraphs',
      value: subgraphs.length,
      allowed: '1',
    });
  const names = model.tables(MODEL.operatorCodes).map(operatorName);
  const buffers = model.tables(MODEL.buffers).map((buffer) => buffer.bytes(BUFFER.data));
  const tensors = graph.tables(SUBGRAPH.tensors).map((tensor) => ({
    name: tensor.text(TENSOR.name),
    shape: tensor.ints(TENSOR.shape),
    type: tensor.int8(TENSOR.type),
    data: at(buffers, tensor.uint32(TENSOR.buffer), 'buffer'),
    sparsity: tensor.table(TENSOR.sparsity),
    quantization: quantizationOf(tensor.table(TENSOR.quantization)),
  }));
  const operators = graph.tables(SUBGRAPH.operators).map((operator) => ({
    name: at(names, operator.uint32(OPERATOR.code), 'operator code'),
    inputs: operator.ints(OPERATOR.inputs),
    outputs: operator.ints(OPERATOR.outputs),
    options: operator.table(OPERATOR.options),
  }));
  return {
    tensors,
    inputs: graph.ints(SUBGRAPH.inputs),
    outputs: graph.ints(SUBGRAPH.outputs),
    operators,
  };
}

function quantizationOf(table: FlatTable | undefined): TfliteTensor['quantization'] {
  return {
    scales: table?.floats(QUANTIZATION.scales) ?? [],
    zeroPoints: table?.longs(QUANTIZATION.zeroPoints) ?? [],
    axis: table?.int32(QUANTIZATION.axis) ?? 0,
  };
}

function operatorName(code: FlatTable): string {
  // Numbers past 127 do not fit the old field; it then holds a placeholder.
  const number = Math.max(code.int8(CODE.oldBuiltin), code.int32(CODE.builtin));
  const custom = code.text(CODE.custom);
  return custom === '' ? (OPERATORS[number] ?? `number ${number}`) : `CUSTOM ${custom}`;
}

function at<T>(list: readonly T[], index: number, what: string): T {
  const found = list[index];
  if (found === undefined)
    throw new ClmexError('model-invalid', `no ${what} of this number`, {
      value: index,
      allowed: `below ${list.length}`,
    });
  return found;
}
