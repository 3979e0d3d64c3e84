import type { Weights } from '../graph.js';
import type { OnnxAttribute, OnnxData, OnnxNode, OnnxTensor, OnnxValue } from './onnx-proto.js';
import type { Shape } from './shapes.js';

/** Order of the dimensions of a tensor; those without four dimensions only have 'nhwc'. */
export type Layout = 'nhwc' | 'nchw';
const TO_NCHW = [0, 3, 1, 2] as const;
const TO_NHWC = [0, 2, 3, 1] as const;

/**
 * The tensors and nodes of an ONNX file in the making: knows in which layout each tensor exists,
 * and makes the other on demand, once.
 */
export class OnnxTensors {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  readonly inputs: OnnxValue[] = [];
  readonly outputs: OnnxValue[] = [];
  readonly #shapes: ReadonlyMap<string, Shape>;
  readonly #existing = new Map<string, Map<Layout, string>>();

  constructor(shapes: ReadonlyMap<string, Shape>) {
    this.#shapes = shapes;
  }

  shape(name: string): Shape {
    return this.#shapes.get(name)!;
  }

  /** The layout a tensor was made in. */
  native(name: string): Layout {
    const [first] = this.#existing.get(name)?.keys() ?? [];
    return first ?? 'nhwc';
  }

  addInput(name: string, layout: Layout): void {
    const [, ...shape] = this.shape(name);
    const turned = shape.length === 3 && layout === 'nchw';
    const free = turned ? [shape[2]!, shape[0]!, shape[1]!] : shape;
    this.inputs.push({ name, shape: ['batch', ...free] });
    this.#existing.set(name, new Map([[turned ? 'nchw' : 'nhwc', name]]));
  }

  addOutput(name: string): void {
    const value = this.get(name, 'nhwc');
    if (value !== name) this.node('Identity', [value], name);
    this.outputs.push({ name, shape: ['batch', ...this.shape(name).slice(1)] });
  }

  /** Name of the ONNX value that holds the tensor in this layout. */
  get(name: string, layout: Layout): string {
    const existing = this.#existing.get(name)!;
    const found = existing.get(layout);
    if (found !== undefined) return found;
    const source = existing.get(layout === 'nchw' ? 'nhwc' : 'nchw')!;
    const made = valueName(name, layout);
    const perm = { ints: layout === 'nchw' ? TO_NCHW : TO_NHWC };
    this.node('Transpose', [source], made, { perm });
    existing.set(layout, made);
    return made;
  }

  /** Registers what a layer makes and returns the ONNX value to write it to. */
  make(name: string, layout: Layout): string {
    const made = valueName(name, layout);
    this.#existing.set(name, new Map([[layout, made]]));
    return made;
  }

  /** A constant tensor, written in every layout it may be read in. */
  makeConstant(name: string, value: Weights): void {
    const layouts = new Map<Layout, string>([['nhwc', this.floats(name, value.shape, value.data)]]);
    if (value.shape.length === 4) {
      const [n, h, w, c] = value.shape as readonly [number, number, number, number];
      const data = new Float32Array(value.data.length);
      for (let i = 0; i < data.length; i++) {
        const [channel, pixel, item] = [i % c, Math.floor(i / c) % (h * w), Math.floor(i / (c * h * w))]; // prettier-ignore
        data[(item * c + channel) * h * w + pixel] = value.data[i]!;
      }
      layouts.set('nchw', this.floats(valueName(name, 'nchw'), [n, c, h, w], data));
    }
    this.#existing.set(name, layouts);
  }

  node(
    op: string,
    inputs: readonly string[],
    output: string,
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
  ): string {
    this.nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  }

  floats(name: string, shape: Shape, data: Float32Array): string {
    return this.#initializer(name, shape, data);
  }

  ints(name: string, values: readonly number[]): string {
    return this.#initializer(name, [values.length], BigInt64Array.from(values, BigInt));
  }

  #initializer(name: string, shape: Shape, data: OnnxData): string {
    this.initializers.push({ name, shape, data });
    return name;
  }
}

const valueName = (name: string, layout: Layout): string =>
  layout === 'nhwc' ? name : `${name}@nchw`;
