import protobuf from 'protobufjs/light.js';

/** Operators of an .onnx file in order, by the field numbers of onnx.proto. */
export function operatorsOf(bytes: Uint8Array): string[] {
  const root = new protobuf.Root();
  const model = new protobuf.Type('Model').add(new protobuf.Field('graph', 7, 'Graph'));
  const graph = new protobuf.Type('Graph').add(new protobuf.Field('nodes', 1, 'Node', 'repeated'));
  const node = new protobuf.Type('Node').add(new protobuf.Field('op', 4, 'string'));
  root.add(model).add(graph).add(node);
  const decoded = model.toObject(model.decode(bytes)) as { graph: { nodes: { op: string }[] } };
  return decoded.graph.nodes.map(({ op }) => op);
}
