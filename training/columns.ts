import { ClmexError } from '../core/errors.js';
import type { Network } from '../encoder/archive.js';
import type { Head } from '../encoder/fusion.js';
import { describeGeometry, GEOMETRY_FEATURES, projectFeatures, type Geometry } from '../encoder/geometry.js'; // prettier-ignore
import type { Dense, Graph, Layer, Weights } from '../encoder/graph.js';
import { zeros } from '../encoder/network.js';
import { ROWS_PER_VIEW } from '../encoder/view.js';
import type { LabelledView } from './dataset/groups.js';
import { embedCrops } from './embed.js';

/** One of several networks that are to look at the same views. */
export interface Column {
  readonly network: Network;
  /** Its part of the score beside those of the others; positive. */
  readonly weight: number;
}

/**
 * Several networks as one, a column each (multi-column networks, Cireşan et al. 2012, arXiv 1202.2745). Each
 * writes its own part of the embedding and has prototypes of its own; a label's logit is the weighted mean of
 * the columns'. Unlike an average of weights this keeps what each has learned, and costs as much as all of
 * them.
 *
 * The parts are what one dense layer over all columns would write, one term a column, added up, so that
 * every engine and int8 form runs them. A column's part is as long as its weight says on average over `views`, not in each view.
 * @param views of people whom training left out, at least one; some hundred tell the lengths.
 * @throws ClmexError `invalid-argument` where columns differ in crop, heads, streams or the face that
 *   landmarks are aligned to, or where a weight is not positive.
 */
export async function sideBySide(
  columns: readonly Column[],
  views: readonly LabelledView[],
): Promise<Network> {
  requireAlike(columns);
  const whole = total(columns.map(({ weight }) => weight));
  const parts: Part[] = [];
  for (const { network, weight } of columns) {
    const [own, share] = [weight / whole, network.geometry?.share ?? 0];
    parts.push({
      network,
      weight: own,
      pixels: Math.sqrt(own * (1 - share)) / (await pixelLength(network.graph, views)),
      landmarks: Math.sqrt(own * share) / landmarkLength(network.geometry, views),
    });
  }
  return { graph: joinGraphs(parts), head: joinHeads(parts), geometry: joinGeometries(parts) };
}

interface Part {
  readonly network: Network;
  /** Of the score; those of all parts sum to 1. */
  readonly weight: number;
  /** What makes the column's answers as long as its part of an embedding is. */
  readonly pixels: number;
  readonly landmarks: number;
}

/** Mean length of the network's answers to the views' rows before they are made unit vectors. */
async function pixelLength(graph: Graph, views: readonly LabelledView[]): Promise<number> {
  const { name } = projection(graph);
  const open = { ...graph, layers: graph.layers.slice(0, -1), outputs: [{ name, shape: [] }] };
  const answers = await embedCrops(open, views.map(({ crop }) => crop)); // prettier-ignore
  return meanLength(
    answers.flatMap((rows) => {
      const width = rows.length / ROWS_PER_VIEW;
      return Array.from({ length: ROWS_PER_VIEW }, (_, row) => rows.subarray(row * width, (row + 1) * width)); // prettier-ignore
    }),
  );
}

function landmarkLength(geometry: Geometry | undefined, views: readonly LabelledView[]): number {
  if (geometry === undefined) return 1;
  const features = new Float32Array(GEOMETRY_FEATURES);
  return meanLength(
    views.map(({ landmarks }) => {
      describeGeometry(landmarks, geometry.reference.data, features);
      return projectFeatures(geometry, features);
    }),
  );
}

const meanLength = (vectors: readonly Float32Array[]): number =>
  total(vectors.map((vector) => Math.hypot(...vector))) / vectors.length;

/** The dense layer in front of the unit vector that every encoder ends in. */
function projection({ layers }: Graph): Dense {
  const [last, unit] = layers.slice(-2);
  if (last?.kind === 'dense' && unit?.kind === 'l2Normalize' && last.activation === 'none')
    return last;
  throw differs('network', unit?.kind, 'networks that end in a dense layer and a unit vector');
}

function joinGraphs(parts: readonly Part[]): Graph {
  const [{ network: first }] = parts as readonly [Part];
  const { name, inputs, outputs, layers } = first.graph;
  const [input, unit] = [inputs[0]!.name, layers.at(-1)!];
  const lasts = parts.map(({ network }) => projection(network.graph));
  const sizes = lasts.map(({ kernel }) => kernel.shape[1]!);
  const nameOf = (column: number, tensor: string): string =>
    tensor === input ? tensor : `column${column}/${tensor}`;
  const all = parts.flatMap(({ network, pixels }, column): Layer[] =>
    network.graph.layers.slice(0, -1).map((layer) => ({
      ...(layer === lasts[column] ? { ...layer, ...block(layer, sizes, column, pixels) } : layer),
      name: nameOf(column, layer.name),
      inputs: layer.inputs.map((tensor) => nameOf(column, tensor)),
    })),
  );
  const sum = lasts
    .map((last, column) => nameOf(column, last.name))
    .reduce((before, term, column) => {
      const added = `columns0-${column}`;
      all.push({ kind: 'add', name: added, inputs: [before, term], activation: 'none' });
      return added;
    });
  return {
    name: `${name}-x${parts.length}`,
    inputs,
    outputs: [{ ...outputs[0]!, shape: [1, total(sizes)] }],
    layers: [...all, { ...unit, inputs: [sum] }],
  };
}

/** A dense layer that writes `factor` times what it did into its own of several parts, and 0 into the others. */
function block(
  { kernel, bias }: { readonly kernel: Weights; readonly bias: Weights | null },
  sizes: readonly number[],
  part: number,
  factor: number,
): { kernel: Weights; bias: Weights } {
  const [rows, own] = kernel.shape as [number, number];
  const [all, from] = [total(sizes), total(sizes.slice(0, part))];
  const wide = { kernel: zeros([rows, all]), bias: zeros([all]) };
  for (let i = 0; i < kernel.data.length; i++)
    wide.kernel.data[Math.floor(i / own) * all + from + (i % own)] = factor * kernel.data[i]!;
  bias?.data.forEach((value, i) => (wide.bias.data[from + i] = factor * value));
  return wide;
}

/** Landmarks go through a hidden layer that has those of all columns one after the other. */
function joinGeometries(parts: readonly Part[]): Geometry | undefined {
  const geometries = parts.flatMap(({ network }) => network.geometry ?? []);
  const [first] = geometries;
  if (first === undefined) return undefined;
  const sizes = geometries.map(({ project }) => project.bias.data.length);
  const widths = geometries.map(({ hidden }) => hidden.bias.data.length);
  const wide = geometries.map(({ hidden }, i) => block(hidden, widths, i, 1));
  const blocks = geometries.map(({ project }, i) => block(project, sizes, i, parts[i]!.landmarks));
  return {
    ...first,
    share: total(parts.map(({ weight, network }) => weight * network.geometry!.share)),
    hidden: {
      kernel: added(wide.map(({ kernel }) => kernel)),
      bias: added(wide.map(({ bias }) => bias)),
    },
    project: {
      kernel: stacked(blocks.map(({ kernel }) => kernel)),
      bias: added(blocks.map(({ bias }) => bias)),
    },
  };
}

const total = (numbers: readonly number[]): number =>
  numbers.reduce((sum, number) => sum + number, 0);

const added = (all: readonly Weights[]): Weights => ({
  shape: all[0]!.shape,
  data: all[0]!.data.map((_, i) => all.reduce((sum, { data }) => sum + data[i]!, 0)),
});

const stacked = (all: readonly Weights[]): Weights => ({
  shape: [total(all.map(({ shape }) => shape[0]!)), all[0]!.shape[1]!],
  data: Float32Array.from(all.flatMap(({ data }) => [...data])),
});

function joinHeads(parts: readonly Part[]): Head {
  const heads = parts.map(({ network }) => network.head);
  const [{ prototypesPerLabel: each, scale, prototypes }] = heads as [Head];
  const labels = prototypes.shape[0]! / each;
  const places = placesOf(parts);
  const width = total(places.map((column) => column.length));
  const rows = Array.from({ length: labels }, (_, label) =>
    heads.flatMap(({ prototypes: { data } }, column) =>
      Array.from({ length: each }, (_, k) => {
        const row = new Float32Array(width);
        const at = (label * each + k) * places[column]!.length;
        places[column]!.forEach((place, i) => (row[place] = data[at + i]!));
        return row;
      }),
    ),
  ).flat();
  const query = zeros([width]);
  const viewBias = zeros(heads[0]!.viewBias.shape);
  parts.forEach(({ weight, network: { head } }, column) => {
    places[column]!.forEach(
      (place, i) => (query.data[place] = Math.sqrt(weight) * head.query.data[i]!),
    );
    head.viewBias.data.forEach((value, i) => (viewBias.data[i]! += weight * value));
  });
  return {
    prototypes: {
      shape: [rows.length, width],
      data: Float32Array.from(rows.flatMap((row) => [...row])),
    },
    prototypesPerLabel: each,
    columns: parts.map(({ weight }) => weight),
    scale,
    query,
    viewBias,
  };
}

/** Where each number of each column's embedding stands: the pixels' of all columns, then the landmarks'. */
function placesOf(parts: readonly Part[]): number[][] {
  const sizes = parts.map(({ network }) => {
    const pixels = projection(network.graph).kernel.shape[1]!;
    return [pixels, network.head.query.data.length - pixels] as const;
  });
  let next = 0;
  const places = sizes.map((): number[] => []);
  for (const stream of [0, 1] as const)
    sizes.forEach((size, column) => {
      for (let i = 0; i < size[stream]; i++) places[column]!.push(next++);
    });
  return places;
}

function requireAlike(columns: readonly Column[]): void {
  const first = columns[0]?.network;
  if (first === undefined || columns.length === 1)
    throw differs('columns', columns.length, 'two networks or more');
  for (const { network, weight } of columns) {
    if (!(weight > 0)) throw differs('weight', weight, 'a positive number');
    const crop = network.graph.inputs[0]!;
    const expected = first.graph.inputs[0]!;
    if (crop.name !== expected.name || !same(crop.shape, expected.shape))
      throw differs('input', crop.shape, `${expected.name} of ${expected.shape.join(' × ')}`);
    if (network.head.columns !== undefined)
      throw differs('head.columns', network.head.columns, 'networks that are of one column');
    const sizes = ({ head }: Network) => [
      head.prototypes.shape[0],
      head.prototypesPerLabel,
      head.scale,
    ];
    if (!same(sizes(network), sizes(first)))
      throw differs(
        'head',
        sizes(network),
        `${sizes(first).join(', ')}: prototypes, those of a label, their scale`,
      );
    if (!same(frameOf(network.geometry), frameOf(first.geometry)))
      throw differs('geometry', network.graph.name, 'landmarks aligned and standardised alike, or none'); // prettier-ignore
  }
}

const frameOf = (geometry: Geometry | undefined): number[] =>
  geometry === undefined ? [] : [geometry.reference, geometry.mean, geometry.deviation].flatMap(({ data }) => [...data]); // prettier-ignore

const same = (one: readonly unknown[], other: readonly unknown[]): boolean =>
  one.length === other.length && one.every((value, i) => value === other[i]);

const differs = (field: string, value: unknown, allowed: string): ClmexError =>
  new ClmexError('invalid-argument', 'does not fit beside the other networks', {
    field,
    value,
    allowed,
  });
