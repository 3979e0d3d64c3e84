import type { Graph } from '../graph.js';
import { inChannelBlocks } from './channel-blocks.js';
import { encodeOnnx, type OnnxModel } from './onnx-proto.js';
import { writeLayer } from './onnx-layers.js';
import { OnnxTensors } from './onnx-tensors.js';
import { inferShapes } from './shapes.js';

export interface OnnxOptions {
  /**
   * Order in which the caller lays out inputs of four dimensions; channels first spares a transpose.
   * Outputs always have their channels last.
   */
  readonly inputs?: 'nhwc' | 'nchw';
  /**
   * Channels that ONNX Runtime's CPU keeps together in memory ({@link inChannelBlocks}). Everything
   * is then written so that it need not leave that layout between input and output.
   */
  readonly channelBlock?: 8 | 16;
}

/**
 * The .onnx file of a graph (operator set 17, float32, free batch). Activations run channels first
 * inside, as ONNX defines convolutions; the file transposes only where a layer needs the other
 * order. Inputs and outputs carry the graph's names.
 * @throws ClmexError `model-invalid` for a graph whose shapes do not fit.
 */
export function writeOnnx(graph: Graph, options: OnnxOptions = {}): Uint8Array {
  return encodeOnnx(onnxModel(graph, options));
}

/** What {@link writeOnnx} writes, before it is bytes. */
export function onnxModel(
  graph: Graph,
  { inputs = 'nhwc', channelBlock }: OnnxOptions = {},
): OnnxModel {
  const blocked = channelBlock !== undefined;
  const written = blocked ? inChannelBlocks(graph, channelBlock) : graph;
  const tensors = new OnnxTensors(inferShapes(written));
  for (const { name } of graph.inputs) tensors.addInput(name, inputs);
  for (const layer of written.layers) writeLayer(layer, tensors, blocked);
  for (const { name } of graph.outputs) tensors.addOutput(name);
  const { nodes } = tensors;
  const read = new Set(nodes.flatMap((node) => node.inputs));
  return {
    name: graph.name,
    nodes,
    initializers: tensors.initializers.filter(({ name }) => read.has(name)),
    inputs: tensors.inputs,
    outputs: tensors.outputs,
  };
}
