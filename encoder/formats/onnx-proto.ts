import protobuf from 'protobufjs/light.js';

/** Attribute of a node; whole numbers as `int`/`ints`. */
export type OnnxAttribute =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly text: string };

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
  /** Operator set other than ONNX's own, e.g. `com.microsoft`. */
  readonly domain?: string;
}

/** Bits of IEEE 754 half-precision numbers. */
export class HalfArray extends Uint16Array {}

export type OnnxData =
  Float32Array | HalfArray | Int8Array | Uint8Array | Int32Array | BigInt64Array;

export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: OnnxData;
}

/** A float input or output; a text is a free dimension of that name. */
export interface OnnxValue {
  readonly name: string;
  readonly shape: readonly (number | string)[];
}

export interface OnnxModel {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** Operator set written; ONNX 1.12 (2022), read by ONNX Runtime 1.12 and later and by TensorRT 8.6. */
const ONNX_OPSET = 17;
const IR_VERSION = 8;

/** The messages and field numbers of onnx.proto that are written. */
const SCHEMA = {
  Model: { fields: { irVersion: [1, 'int64'], producer: [2, 'string'], graph: [7, 'Graph'], opsets: [8, 'Opset', true] } },
  Opset: { fields: { domain: [1, 'string'], version: [2, 'int64'] } },
  Graph: { fields: { nodes: [1, 'Node', true], name: [2, 'string'], initializers: [5, 'Tensor', true], inputs: [11, 'Value', true], outputs: [12, 'Value', true] } },
  Node: { fields: { inputs: [1, 'string', true], outputs: [2, 'string', true], name: [3, 'string'], op: [4, 'string'], attributes: [5, 'Attribute', true], domain: [7, 'string'] } },
  Attribute: { fields: { name: [1, 'string'], f: [2, 'float'], i: [3, 'int64'], s: [4, 'bytes'], ints: [8, 'int64', true], type: [20, 'int32'] } },
  Tensor: { fields: { dims: [1, 'int64', true], dataType: [2, 'int32'], name: [8, 'string'], rawData: [9, 'bytes'] } },
  Value: { fields: { name: [1, 'string'], type: [2, 'Type'] } },
  Type: { fields: { tensor: [1, 'TensorType'] } },
  TensorType: { fields: { element: [1, 'int32'], shape: [2, 'Shape'] } },
  Shape: { fields: { dims: [1, 'Dim', true] } },
  Dim: { fields: { value: [1, 'int64'], param: [2, 'string'] } },
} as const; // prettier-ignore

/** TensorProto.DataType. */
export const DATA_TYPE = { float: 1, uint8: 2, int8: 3, int32: 6, int64: 7, half: 10 } as const;
/** AttributeProto.AttributeType. */
const ATTRIBUTE_TYPE = { float: 1, int: 2, text: 3, ints: 7 } as const;

function modelType(): protobuf.Type {
  const root = new protobuf.Root();
  for (const [name, { fields }] of Object.entries(SCHEMA)) {
    const type = new protobuf.Type(name);
    for (const [field, [id, of, repeated]] of Object.entries(fields as Fields))
      type.add(new protobuf.Field(field, id, of, repeated === true ? 'repeated' : undefined));
    root.add(type);
  }
  return root.lookupType('Model');
}
type Fields = Readonly<Record<string, readonly [number, string, boolean?]>>;

/** The bytes of an .onnx file, opset {@link ONNX_OPSET}. */
export function encodeOnnx(model: OnnxModel): Uint8Array {
  const domains = new Set(model.nodes.flatMap(({ domain }) => domain ?? []));
  const type = modelType();
  const message = type.create({
    irVersion: IR_VERSION,
    producer: 'clmex',
    opsets: [
      { domain: '', version: ONNX_OPSET },
      ...[...domains].map((domain) => ({ domain, version: 1 })),
    ],
    graph: {
      name: model.name,
      nodes: model.nodes.map(nodeMessage),
      initializers: model.initializers.map(tensorMessage),
      inputs: model.inputs.map(valueMessage),
      outputs: model.outputs.map(valueMessage),
    },
  });
  return type.encode(message).finish();
}

function nodeMessage({ op, inputs, outputs, attributes = {}, domain = '' }: OnnxNode): object {
  return {
    op,
    inputs,
    outputs,
    domain,
    name: `${op}:${outputs[0] ?? ''}`,
    attributes: Object.entries(attributes).map(([name, value]) => attributeMessage(name, value)),
  };
}

function attributeMessage(name: string, value: OnnxAttribute): object {
  if ('int' in value) return { name, type: ATTRIBUTE_TYPE.int, i: value.int };
  if ('ints' in value) return { name, type: ATTRIBUTE_TYPE.ints, ints: value.ints };
  if ('float' in value) return { name, type: ATTRIBUTE_TYPE.float, f: value.float };
  return { name, type: ATTRIBUTE_TYPE.text, s: new TextEncoder().encode(value.text) };
}

function tensorMessage({ name, shape, data }: OnnxTensor): object {
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name, dims: shape, dataType: dataType(data), rawData };
}

function dataType(data: OnnxData): number {
  if (data instanceof Float32Array) return DATA_TYPE.float;
  if (data instanceof HalfArray) return DATA_TYPE.half;
  if (data instanceof Int8Array) return DATA_TYPE.int8;
  if (data instanceof Uint8Array) return DATA_TYPE.uint8;
  if (data instanceof Int32Array) return DATA_TYPE.int32;
  return DATA_TYPE.int64;
}

function valueMessage({ name, shape }: OnnxValue): object {
  const dims = shape.map((size) => (typeof size === 'string' ? { param: size } : { value: size }));
  return { name, type: { tensor: { element: DATA_TYPE.float, shape: { dims } } } };
}
