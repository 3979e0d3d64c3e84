import type {
  Activation,
  Conv2d,
  DepthwiseConv2d,
  Dense,
  Layer,
  Pad,
  Padding,
  Prelu,
} from '../graph.js';
import type { Layout, OnnxTensors } from './onnx-tensors.js';
import { samePads } from './shapes.js';

/**
 * Adds the nodes of one layer.
 * @param blocked Whether it must run in ONNX Runtime's blocked layout, where PRelu and Transpose do
 *   not.
 */
export function writeLayer(layer: Layer, out: OnnxTensors, blocked = false): void {
  const [x = ''] = layer.inputs;
  switch (layer.kind) {
    case 'conv2d':
    case 'depthwiseConv2d': {
      if (blocked && layer.kind === 'conv2d' && isFewChannelsLast(x, out))
        writeFirstConvolution(layer, out);
      else writeConvolution(layer, out);
      return;
    }
    case 'dense': {
      writeDense(layer, out);
      return;
    }
    case 'constant': {
      out.makeConstant(layer.name, layer.value);
      return;
    }
    case 'maxPool': {
      const pads = windowPads(out, x, layer.size, layer.strides, layer.padding);
      const attributes = { kernel_shape: { ints: layer.size }, strides: { ints: layer.strides }, pads: { ints: pads } }; // prettier-ignore
      out.node('MaxPool', [out.get(x, 'nchw')], out.make(layer.name, 'nchw'), attributes);
      return;
    }
    case 'globalAveragePool': {
      const mean = out.node('GlobalAveragePool', [out.get(x, 'nchw')], `${layer.name}/mean`);
      out.node('Flatten', [mean], out.make(layer.name, 'nhwc'), { axis: { int: 1 } });
      return;
    }
    case 'pad': {
      writePad(layer, out);
      return;
    }
    case 'prelu': {
      if (blocked && out.shape(x).length === 4) writeSlopesAsConvolutions(layer, out);
      else writePrelu(layer, out);
      return;
    }
    default: {
      writeShapeless(layer, out);
      return;
    }
  }
}

type Shapeless = Exclude<
  Layer,
  { kind: 'conv2d' | 'depthwiseConv2d' | 'dense' | 'constant' | 'maxPool' | 'globalAveragePool' | 'pad' | 'prelu' } // prettier-ignore
>;

function writeShapeless(layer: Shapeless, out: OnnxTensors): void {
  const [x = ''] = layer.inputs;
  switch (layer.kind) {
    case 'add':
    case 'subtract':
    case 'multiply':
    case 'divide': {
      const [layout, inputs] = operands(layer.inputs, out);
      const op = { add: 'Add', subtract: 'Sub', multiply: 'Mul', divide: 'Div' }[layer.kind];
      activate(layer.activation, op, inputs, out.make(layer.name, layout), out);
      return;
    }
    case 'concat': {
      const [layout, inputs] = operands(layer.inputs, out);
      const axis = { int: axisIn(layout, layer.axis) };
      out.node('Concat', inputs, out.make(layer.name, layout), { axis });
      return;
    }
    case 'reshape': {
      const shape = out.ints(`${layer.name}/shape`, [-1, ...layer.shape.slice(1)]);
      out.node('Reshape', [out.get(x, 'nhwc'), shape], out.make(layer.name, 'nhwc'));
      return;
    }
    case 'transpose':
      out.node('Transpose', [out.get(x, 'nhwc')], out.make(layer.name, 'nhwc'), { perm: { ints: layer.order } }); // prettier-ignore
      return;
    case 'slice': {
      const axes = layer.begin.map((_, i) => i).slice(1);
      const bounds = [
        out.ints(`${layer.name}/begin`, axes.map((i) => layer.begin[i]!)),
        out.ints(`${layer.name}/end`, axes.map((i) => layer.begin[i]! + layer.size[i]!)),
        out.ints(`${layer.name}/axes`, axes),
      ]; // prettier-ignore
      out.node('Slice', [out.get(x, 'nhwc'), ...bounds], out.make(layer.name, 'nhwc'));
      return;
    }
    case 'depthToSpace': {
      // TensorFlow's order of a block's channels is ONNX's DCR.
      const attributes = { blocksize: { int: layer.blockSize }, mode: { text: 'DCR' } };
      out.node('DepthToSpace', [out.get(x, 'nchw')], out.make(layer.name, 'nchw'), attributes);
      return;
    }
    case 'resizeBilinear': {
      const [, height, width] = out.shape(x) as readonly [number, number, number, number];
      const scales = new Float32Array([1, 1, layer.size[0] / height, layer.size[1] / width]);
      const mode = layer.alignCorners ? 'align_corners' : layer.halfPixelCenters ? 'half_pixel' : 'asymmetric'; // prettier-ignore
      const attributes = { mode: { text: 'linear' }, coordinate_transformation_mode: { text: mode } }; // prettier-ignore
      const inputs = [out.get(x, 'nchw'), '', out.floats(`${layer.name}/scales`, [4], scales)];
      out.node('Resize', inputs, out.make(layer.name, 'nchw'), attributes);
      return;
    }
    case 'mean':
    case 'sum': {
      writeReduce(layer, out);
      return;
    }
    case 'l2Normalize': {
      const input = out.get(x, 'nhwc');
      const axes = { axes: { ints: [-1] } };
      const length = out.node('ReduceL2', [input], `${layer.name}/length`, axes);
      const least = out.floats(`${layer.name}/least`, [], new Float32Array([1e-12]));
      const safe = out.node('Max', [length, least], `${layer.name}/safe`);
      out.node('Div', [input, safe], out.make(layer.name, 'nhwc'));
      return;
    }
    default: {
      writeUnary(layer, out);
      return;
    }
  }
}

type Unary = Extract<Layer, { kind: 'relu' | 'relu6' | 'sigmoid' | 'square' | 'sqrt' | 'rsqrt' | 'negate' }>; // prettier-ignore

function writeUnary(layer: Unary, out: OnnxTensors): void {
  const [x = ''] = layer.inputs;
  const layout = out.native(x);
  const input = out.get(x, layout);
  const made = out.make(layer.name, layout);
  switch (layer.kind) {
    case 'relu':
      out.node('Relu', [input], made);
      return;
    case 'relu6':
      clip(input, made, out);
      return;
    case 'sigmoid':
      out.node('Sigmoid', [input], made);
      return;
    case 'square':
      out.node('Mul', [input, input], made);
      return;
    case 'sqrt':
      out.node('Sqrt', [input], made);
      return;
    case 'rsqrt':
      out.node('Reciprocal', [out.node('Sqrt', [input], `${made}/sqrt`)], made);
      return;
    case 'negate':
      out.node('Neg', [input], made);
      return;
  }
}

/** All operands in one layout: channels first where the first is, and all have four dimensions. */
function operands(names: readonly string[], out: OnnxTensors): [Layout, string[]] {
  const [first = ''] = names;
  const four = names.every((name) => out.shape(name).length === 4);
  const layout = four ? out.native(first) : 'nhwc';
  return [layout, names.map((name) => out.get(name, layout))];
}

function axisIn(layout: Layout, axis: number): number {
  return layout === 'nhwc' ? axis : [0, 2, 3, 1][axis]!;
}

function writeReduce(layer: Extract<Layer, { kind: 'mean' | 'sum' }>, out: OnnxTensors): void {
  const inputs = [out.get(layer.inputs[0] ?? '', 'nhwc')];
  const keepdims = { int: layer.keepDims ? 1 : 0 };
  const made = out.make(layer.name, 'nhwc');
  if (layer.kind === 'mean')
    out.node('ReduceMean', inputs, made, { axes: { ints: layer.axes }, keepdims });
  else out.node('ReduceSum', [...inputs, out.ints(`${layer.name}/axes`, layer.axes)], made, { keepdims }); // prettier-ignore
}

function writePad(layer: Pad, out: OnnxTensors): void {
  const [x = ''] = layer.inputs;
  const layout = out.native(x);
  const order = layout === 'nchw' ? [0, 3, 1, 2] : layer.paddings.map((_, i) => i);
  const pads = [0, 1].flatMap((side) => order.map((axis) => layer.paddings[axis]![side as 0 | 1]));
  const inputs = [out.get(x, layout), out.ints(`${layer.name}/pads`, pads)];
  out.node('Pad', inputs, out.make(layer.name, layout));
}

function writePrelu({ name, inputs: [x = ''], alpha }: Prelu, out: OnnxTensors): void {
  const layout = out.native(x);
  const channels = alpha.data.length;
  const shape = layout === 'nchw' ? [channels, 1, 1] : [channels];
  const slope = out.floats(`${name}/alpha`, shape, alpha.data);
  out.node('PRelu', [out.get(x, layout), slope], out.make(name, layout));
}

/**
 * x + (1 − α)·relu(−x), from what runs in channel blocks. Where no slope is above 1 the factor goes
 * inside, relu((α − 1)·x), and a plain sum is left, the cheapest layer there is; else it takes a
 * convolution into which engines fuse the sum.
 */
function writeSlopesAsConvolutions(
  { name, inputs: [x = ''], alpha }: Prelu,
  out: OnnxTensors,
): void {
  const channels = alpha.data.length;
  const input = out.get(x, 'nchw');
  const scaled = (value: string, part: string, gains: Float32Array): string => {
    const kernel = out.floats(`${name}/${part}/kernel`, [channels, 1, 1, 1], gains);
    return out.node('Conv', [value, kernel], `${name}/${part}`, { group: { int: channels } });
  };
  const within = alpha.data.every((slope) => slope <= 1);
  const gains = alpha.data.map((slope) => (within ? slope - 1 : -1));
  const below = out.node('Relu', [scaled(input, 'negative', gains)], `${name}/below`);
  const lifted = within ? below : scaled(below, 'lifted', alpha.data.map((slope) => 1 - slope)); // prettier-ignore
  out.node('Add', [lifted, input], out.make(name, 'nchw'));
}

const FEWEST_CHANNELS = 4;

/** Whether a tensor lies as a picture does: three channels or so, side by side. */
function isFewChannelsLast(name: string, out: OnnxTensors): boolean {
  return out.native(name) === 'nhwc' && out.shape(name)[3]! < FEWEST_CHANNELS;
}

/**
 * A convolution over a picture, without bringing its channels first: a row of red, green and blue in
 * turn is a row of one channel, over which a wider kernel takes longer steps.
 */
function writeFirstConvolution(layer: Conv2d, out: OnnxTensors): void {
  const [x = ''] = layer.inputs;
  const [, height, width, channels] = out.shape(x) as readonly [number, number, number, number];
  const [rows, columns, , outputs] = layer.kernel.shape as readonly [number, number, number, number]; // prettier-ignore
  const row = out.ints(`${layer.name}/row`, [-1, 1, height, width * channels]);
  const input = out.node('Reshape', [out.get(x, 'nhwc'), row], `${layer.name}/picture`);
  const kernel = kernelOutputsFirst(layer.kernel.data, outputs, 1);
  const inputs = [input, out.floats(`${layer.name}/kernel`, [outputs, 1, rows, columns * channels], kernel)]; // prettier-ignore
  if (layer.bias !== null)
    inputs.push(out.floats(`${layer.name}/bias`, [outputs], layer.bias.data));
  const [top, left, bottom, right] = windowPads(out, x, [rows, columns], layer.strides, layer.padding); // prettier-ignore
  activate(layer.activation, 'Conv', inputs, out.make(layer.name, 'nchw'), out, {
    kernel_shape: { ints: [rows, columns * channels] },
    strides: { ints: [layer.strides[0], layer.strides[1] * channels] },
    pads: { ints: [top!, left! * channels, bottom!, right! * channels] },
  });
}

/** [h, w, in, out] → [out, in / groups, h, w]; depthwise, in × multiplier is the output channel. */
function kernelOutputsFirst(data: Float32Array, outputs: number, each: number): Float32Array {
  const pixels = data.length / outputs / each;
  const kernel = new Float32Array(data.length);
  for (let i = 0; i < kernel.length; i++) {
    const output = i % outputs;
    const input = Math.floor(i / outputs) % each;
    const pixel = Math.floor(i / (outputs * each));
    kernel[(output * each + input) * pixels + pixel] = data[i]!;
  }
  return kernel;
}

function writeConvolution(layer: Conv2d | DepthwiseConv2d, out: OnnxTensors): void {
  const [x = ''] = layer.inputs;
  const [height, width, channels, last] = layer.kernel.shape as readonly [number, number, number, number]; // prettier-ignore
  const depthwise = layer.kind === 'depthwiseConv2d';
  const outputs = depthwise ? channels * last : last;
  const each = depthwise ? 1 : channels;
  const kernel = kernelOutputsFirst(layer.kernel.data, outputs, each);
  const inputs = [
    out.get(x, 'nchw'),
    out.floats(`${layer.name}/kernel`, [outputs, each, height, width], kernel),
  ];
  if (layer.bias !== null)
    inputs.push(out.floats(`${layer.name}/bias`, [outputs], layer.bias.data));
  const pads = windowPads(out, x, [height, width], layer.strides, layer.padding);
  activate(layer.activation, 'Conv', inputs, out.make(layer.name, 'nchw'), out, {
    group: { int: depthwise ? channels : 1 },
    kernel_shape: { ints: [height, width] },
    strides: { ints: layer.strides },
    pads: { ints: pads },
  });
}

function writeDense(layer: Dense, out: OnnxTensors): void {
  const [x = ''] = layer.inputs;
  const input = out.get(x, 'nhwc');
  const kernel = out.floats(`${layer.name}/kernel`, layer.kernel.shape, layer.kernel.data);
  const bias = layer.bias && out.floats(`${layer.name}/bias`, [layer.bias.data.length], layer.bias.data); // prettier-ignore
  const made = out.make(layer.name, 'nhwc');
  if (out.shape(x).length === 2) {
    const inputs = bias === null ? [input, kernel] : [input, kernel, bias];
    activate(layer.activation, 'Gemm', inputs, made, out);
  } else if (bias === null) {
    activate(layer.activation, 'MatMul', [input, kernel], made, out);
  } else {
    const product = out.node('MatMul', [input, kernel], `${layer.name}/product`);
    activate(layer.activation, 'Add', [product, bias], made, out);
  }
}

/** ONNX pads of a window over height and width: [top, left, bottom, right]. */
function windowPads(
  out: OnnxTensors,
  input: string,
  size: readonly [number, number],
  strides: readonly [number, number],
  padding: Padding,
): number[] {
  if (padding === 'valid') return [0, 0, 0, 0];
  const [, height, width] = out.shape(input) as readonly [number, number, number, number];
  const [top, bottom] = samePads(height, size[0], strides[0]);
  const [left, right] = samePads(width, size[1], strides[1]);
  return [top, left, bottom, right];
}

/** A node, then its activation. */
function activate(
  activation: Activation,
  op: string,
  inputs: readonly string[],
  made: string,
  out: OnnxTensors,
  attributes: Parameters<OnnxTensors['node']>[3] = {},
): void {
  if (activation === 'none') {
    out.node(op, inputs, made, attributes);
    return;
  }
  const raw = out.node(op, inputs, `${made}/linear`, attributes);
  if (activation === 'relu') out.node('Relu', [raw], made);
  else clip(raw, made, out);
}

function clip(input: string, made: string, out: OnnxTensors): void {
  const low = out.floats(`${made}/low`, [], new Float32Array([0]));
  const high = out.floats(`${made}/high`, [], new Float32Array([6]));
  out.node('Clip', [input, low, high], made);
}
