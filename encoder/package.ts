import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ClmexError } from '../core/errors.js';
import { wrongField } from '../core/wrong-field.js';
import { packNetwork, unpackNetwork, type Network } from './archive.js';
import { VIEW_FEATURES } from './fusion.js';
import { GEOMETRY_FEATURES, GEOMETRY_POINTS, type Geometry } from './geometry.js';
import { manifestSchema, type Manifest } from './manifest.js';
import { createModel, type Model } from './model.js';
import { countParameters } from './network.js';

const MANIFEST = 'manifest.json';
const STRUCTURE = 'network.json';
const WEIGHTS = 'weights.bin';

/** What a trainer says of a model; sizes, hashes and versions are filled in when it is saved. */
export type ModelDescription = Pick<
  Manifest,
  'name' | 'labels' | 'crop' | 'temperatures' | 'prior' | 'training' | 'table'
>;

/**
 * Reads a model package: `manifest.json`, `network.json`, `weights.bin`.
 * @throws ClmexError `not-found` where there is none; `model-invalid` where a hash, a version, a
 * size or a number is wrong.
 */
export async function loadModel(directory: string): Promise<Model> {
  const manifest = parseManifest((await readPart(directory, MANIFEST)).toString('utf8'), directory);
  const parts = new Map<string, Buffer>();
  for (const [name, expected] of Object.entries(manifest.files)) {
    if (name.includes('/') || name.includes('\\') || name.startsWith('.')) {
      throw invalid(`files.${name}`, 'must be a plain file name inside the package', name);
    }
    const part = await readPart(directory, name);
    if (part.byteLength !== expected.bytes || sha256(part) !== expected.sha256) {
      throw invalid(`files.${name}`, 'is damaged: size or SHA-256 differs from the manifest', name);
    }
    parts.set(name, part);
  }
  const [structure, weights] = [parts.get(STRUCTURE), parts.get(WEIGHTS)];
  if (!structure || !weights) throw invalid('files', `must list ${STRUCTURE} and ${WEIGHTS}`, Object.keys(manifest.files)); // prettier-ignore
  const network = unpackNetwork({ structure: structure.toString('utf8'), weights });
  requireFit(manifest, network);
  const variants = new Map([...parts].filter(([name]) => name !== STRUCTURE && name !== WEIGHTS));
  return createModel(manifest, network, variants);
}

/**
 * Adds files to a package, such as the network in int8, and says in its table what was measured of
 * them. Older files of the same names are replaced; the package is whole at every moment.
 */
export async function addVariants(
  directory: string,
  files: Readonly<Record<string, Uint8Array>>,
  table: Readonly<Record<string, unknown>>,
): Promise<Manifest> {
  const manifest = parseManifest((await readPart(directory, MANIFEST)).toString('utf8'), directory);
  const parts: Record<string, Uint8Array> = { ...files };
  for (const name of Object.keys(manifest.files)) parts[name] ??= await readPart(directory, name);
  const extended = {
    ...manifest,
    files: hashesOf(parts),
    table: { ...manifest.table, ...table },
  };
  await replacePackage(directory, parts, extended);
  return extended;
}

/**
 * Writes a model package aside and renames it into place, so that a reader or a kill sees the old
 * package or the new one, never a mixture.
 */
export async function saveModel(
  directory: string,
  description: ModelDescription,
  network: Network,
): Promise<Manifest> {
  const { structure, weights } = packNetwork(network);
  const files = { [STRUCTURE]: Buffer.from(structure), [WEIGHTS]: Buffer.from(weights) };
  const manifest = {
    format: 'clmex-model',
    version: 4,
    ...description,
    network: {
      parameters: parametersOf(network),
      embedding: network.head.query.data.length,
    },
    fusion: { kind: 'attention', prototypesPerLabel: network.head.prototypesPerLabel },
    files: hashesOf(files),
  };
  const checked = parseManifest(JSON.stringify(manifest), directory);
  requireFit(checked, unpackNetwork({ structure, weights }));
  await replacePackage(directory, files, checked);
  return checked;
}

const hashesOf = (files: Readonly<Record<string, Uint8Array>>): Manifest['files'] =>
  Object.fromEntries(
    Object.entries(files).map(([name, data]) => [
      name,
      { bytes: data.byteLength, sha256: sha256(data) },
    ]),
  );

async function replacePackage(
  directory: string,
  files: Readonly<Record<string, Uint8Array>>,
  manifest: Manifest,
): Promise<void> {
  const target = resolve(directory);
  const [aside, old] = [`${target}.tmp-${process.pid}`, `${target}.old-${process.pid}`];
  await mkdir(dirname(target), { recursive: true });
  await rm(aside, { recursive: true, force: true });
  try {
    await mkdir(aside);
    for (const [name, data] of Object.entries(files)) await writeFile(join(aside, name), data);
    await writeFile(join(aside, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
    await rename(target, old).catch(ignoreMissing);
    await rename(aside, target);
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}

function parseManifest(text: string, directory: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ClmexError('model-invalid', 'is no JSON', {
      field: MANIFEST,
      value: directory,
      cause,
    });
  }
  const parsed = manifestSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw wrongField(parsed.error.issues, json, {
    name: 'manifest',
    code: 'model-invalid',
    prefix: `${MANIFEST}:`,
    fields: 'only what clmex export writes',
  });
}

function requireFit({ labels, crop, network }: Manifest, { graph, head, geometry }: Network): void {
  const input = graph.inputs[0]!.shape.slice(1).join(' × ');
  const expected = [crop.size, crop.size, 1].join(' × ');
  if (input !== expected)
    throw invalid('graph.inputs', `must be ${expected} as the crop says`, input);
  const width = network.embedding;
  const rows = labels.length * (head.columns?.length ?? 1) * head.prototypesPerLabel;
  const sizes: [string, number, number][] = [
    ['head.prototypes', head.prototypes.data.length, rows * width],
    ['head.query', head.query.data.length, width],
    ['head.viewBias', head.viewBias.data.length, VIEW_FEATURES],
    [
      'graph.outputs',
      graph.outputs[0]!.shape.at(-1)!,
      width - (geometry?.project.bias.data.length ?? 0),
    ],
    ['network.parameters', parametersOf({ graph, geometry }), network.parameters],
    ...(geometry ? geometrySizes(geometry) : []),
  ];
  for (const [field, given, needed] of sizes) {
    if (given !== needed) throw invalid(field, `must hold ${needed} numbers`, given);
  }
  if (geometry?.deviation.data.some((value) => value <= 0) === true)
    throw invalid('geometry.deviation', 'must be positive', Math.min(...geometry.deviation.data));
}

function geometrySizes(geometry: Geometry): [string, number, number][] {
  const { reference, mean, deviation, hidden, project } = geometry;
  const [middle, out] = [hidden.bias.data.length, project.bias.data.length];
  return [
    ['geometry.reference', reference.data.length, 3 * GEOMETRY_POINTS.length],
    ['geometry.mean', mean.data.length, GEOMETRY_FEATURES],
    ['geometry.deviation', deviation.data.length, GEOMETRY_FEATURES],
    ['geometry.hidden', hidden.kernel.data.length, GEOMETRY_FEATURES * middle],
    ['geometry.project', project.kernel.data.length, middle * out],
  ];
}

function parametersOf({ graph, geometry }: Pick<Network, 'graph' | 'geometry'>): number {
  const layers = geometry ? [geometry.hidden, geometry.project] : [];
  return layers.reduce(
    (sum, { kernel, bias }) => sum + kernel.data.length + bias.data.length,
    countParameters(graph),
  );
}

async function readPart(directory: string, name: string): Promise<Buffer> {
  try {
    return await readFile(join(directory, name));
  } catch (cause) {
    throw new ClmexError('not-found', `has no ${name}`, {
      field: 'model',
      value: directory,
      allowed: 'a model package directory, as `clmex export` writes it',
      cause,
    });
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

const invalid = (field: string, message: string, value: unknown): ClmexError =>
  new ClmexError('model-invalid', message, { field, value });
