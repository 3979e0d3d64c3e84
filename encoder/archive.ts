import { z } from 'zod';
import { ClmexError } from '../core/errors.js';
import type { Graph, Layer, Weights } from './graph.js';
import type { Head } from './fusion.js';
import type { Geometry } from './geometry.js';

/** Where a tensor lies in `weights.bin`: little-endian float32, `offset` counts numbers. */
const reference = z.object({
  shape: z.array(z.number().int().positive()),
  offset: z.number().int().nonnegative(),
});
type Reference = z.infer<typeof reference>;

const tensor = z.object({ name: z.string(), shape: z.array(z.number().int()) });
const base = { name: z.string(), inputs: z.array(z.string()).min(1) };
const pair = z.tuple([z.number().int(), z.number().int()]);
const activation = z.enum(['none', 'relu', 'relu6']);
const window = { strides: pair, padding: z.enum(['same', 'valid']) };
const weighted = { ...base, kernel: reference, bias: reference.nullable(), activation };

const layer = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('conv2d'), ...weighted, ...window }),
  z.object({ kind: z.literal('depthwiseConv2d'), ...weighted, ...window }),
  z.object({ kind: z.literal('dense'), ...weighted }),
  z.object({ kind: z.literal('maxPool'), ...base, ...window, size: pair }),
  z.object({ kind: z.literal('globalAveragePool'), ...base }),
  z.object({ kind: z.literal('pad'), ...base, paddings: z.array(pair) }),
  z.object({ kind: z.literal('prelu'), ...base, alpha: reference }),
  z.object({ kind: z.enum(['add', 'subtract', 'multiply']), ...base, activation }),
  z.object({
    kind: z.enum(['relu', 'relu6', 'sigmoid', 'square', 'sqrt', 'rsqrt', 'negate']),
    ...base,
  }),
  z.object({ kind: z.literal('reshape'), ...base, shape: z.array(z.number().int()) }),
  z.object({ kind: z.literal('concat'), ...base, axis: z.number().int() }),
  z.object({ kind: z.literal('l2Normalize'), ...base }),
]);

const geometryLayer = z.object({ kernel: reference, bias: reference });

const archiveSchema = z.object({
  graph: z.object({
    name: z.string(),
    inputs: z.array(tensor).length(1),
    outputs: z.array(tensor).length(1),
    layers: z.array(layer).min(1),
  }),
  head: z.object({
    prototypes: reference,
    prototypesPerLabel: z.number().int().positive(),
    columns: z.array(z.number().gt(0).lt(1)).min(2).optional(),
    scale: z.number().positive(),
    query: reference,
    viewBias: reference,
  }),
  geometry: z
    .object({
      share: z.number().gt(0).lt(1),
      reference,
      mean: reference,
      deviation: reference,
      hidden: geometryLayer,
      project: geometryLayer,
    })
    .optional(),
});

export interface Network {
  readonly graph: Graph;
  readonly head: Head;
  readonly geometry?: Geometry | undefined;
}

/** A network as `network.json` (structure) and `weights.bin` (numbers). */
export interface Archive {
  readonly structure: string;
  readonly weights: Uint8Array;
}

export function packNetwork({ graph, head, geometry }: Network): Archive {
  const tensors: Float32Array[] = [];
  let offset = 0;
  const put = ({ shape, data }: Weights): Reference => {
    tensors.push(data);
    offset += data.length;
    return { shape: [...shape], offset: offset - data.length };
  };
  const layers = graph.layers.map((item) => {
    const { kernel, bias, alpha, ...rest }: Record<string, unknown> & { kernel?: Weights; bias?: Weights | null; alpha?: Weights } = { ...item }; // prettier-ignore
    return {
      ...rest,
      ...(kernel && { kernel: put(kernel) }),
      ...(bias !== undefined && { bias: bias && put(bias) }),
      ...(alpha && { alpha: put(alpha) }),
    };
  });
  const { prototypes, query, viewBias, ...numbers } = head;
  const packedHead = { ...numbers, prototypes: put(prototypes), query: put(query), viewBias: put(viewBias) }; // prettier-ignore
  const packedGeometry = geometry && packGeometry(geometry, put);
  const weights = new Uint8Array(offset * 4);
  const view = new DataView(weights.buffer);
  let at = 0;
  for (const data of tensors) for (const value of data) view.setFloat32(4 * at++, value, true);
  return {
    structure: `${JSON.stringify({ graph: { ...graph, layers }, head: packedHead, geometry: packedGeometry }, null, 1)}\n`,
    weights,
  };
}

/** @throws ClmexError `model-invalid` naming what does not fit. */
export function unpackNetwork({ structure, weights }: Archive): Network {
  const parsed = archiveSchema.safeParse(parseJson(structure));
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw invalid(`network.json:${issue.path.join('.')}`, issue.message);
  }
  const view = new DataView(weights.buffer, weights.byteOffset, weights.byteLength);
  const get = (field: string, { shape, offset }: Reference): Weights => {
    const length = shape.reduce((product, size) => product * size, 1);
    if ((offset + length) * 4 > weights.byteLength)
      throw invalid(field, 'reaches past weights.bin');
    const data = Float32Array.from({ length }, (_, i) => view.getFloat32(4 * (offset + i), true));
    if (!data.every(Number.isFinite)) throw invalid(field, 'holds numbers that are not finite');
    return { shape, data };
  };
  const layers = parsed.data.graph.layers.map((item): Layer => {
    if ('alpha' in item) return { ...item, alpha: get(`${item.name}.alpha`, item.alpha) };
    if (!('kernel' in item)) return item;
    const bias = item.bias && get(`${item.name}.bias`, item.bias);
    return { ...item, kernel: get(`${item.name}.kernel`, item.kernel), bias };
  });
  const { head, graph, geometry } = parsed.data;
  const getLayer = (name: string, { kernel, bias }: { kernel: Reference; bias: Reference }) => ({
    kernel: get(`geometry.${name}.kernel`, kernel),
    bias: get(`geometry.${name}.bias`, bias),
  });
  return {
    graph: { ...graph, layers },
    head: {
      ...head,
      prototypes: get('head.prototypes', head.prototypes),
      query: get('head.query', head.query),
      viewBias: get('head.viewBias', head.viewBias),
    },
    geometry: geometry && {
      share: geometry.share,
      reference: get('geometry.reference', geometry.reference),
      mean: get('geometry.mean', geometry.mean),
      deviation: get('geometry.deviation', geometry.deviation),
      hidden: getLayer('hidden', geometry.hidden),
      project: getLayer('project', geometry.project),
    },
  };
}

function packGeometry(geometry: Geometry, put: (weights: Weights) => Reference) {
  const { share, reference, mean, deviation, hidden, project } = geometry;
  const layer = ({ kernel, bias }: Geometry['hidden']) => ({
    kernel: put(kernel),
    bias: put(bias),
  });
  return {
    share,
    reference: put(reference),
    mean: put(mean),
    deviation: put(deviation),
    hidden: layer(hidden),
    project: layer(project),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new ClmexError('model-invalid', 'is no JSON', { field: 'network.json', cause });
  }
}

const invalid = (field: string, message: string): ClmexError =>
  new ClmexError('model-invalid', message, { field });
