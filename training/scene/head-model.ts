import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ClmexError } from '../../core/errors.js';
import { parseObj, parsePositions, readText } from './obj.js';

/** A shape that moves few vertices: which, and by how much at weight 1. */
interface SparseShape {
  readonly name: string;
  readonly vertices: Uint32Array;
  /** x, y, z a vertex of `vertices`. */
  readonly deltas: Float32Array;
}

/**
 * ICT-FaceKit's head: x to the person's left, y up, z out of the face; centimetres. Every person
 * and expression shares its topology.
 */
export interface HeadModel {
  readonly vertexCount: number;
  readonly neutral: Float32Array;
  readonly uv: Float32Array;
  readonly parts: ReadonlyMap<string, Uint32Array>;
  /** Deltas at weight 1, which is one standard deviation. */
  readonly identities: readonly Float32Array[];
  readonly expressions: readonly SparseShape[];
}

/** Vertices of the outer skin: the face, then head and neck (ICT-FaceKit's table of parts). */
export const SKIN_VERTICES = 11_248;
export const FACE_VERTICES = 9_409;

const STILL_CM = 1e-3;

/**
 * Reads the model from a folder that holds FaceXModel/.
 * @param identityModes how many of the 100 modes to read, largest first
 */
export async function readHeadModel(dir: string, identityModes = 60): Promise<HeadModel> {
  const folder = join(dir, 'FaceXModel');
  const mesh = parseObj(await readText(join(folder, 'generic_neutral_mesh.obj')));
  const count = mesh.positions.length / 3;
  const files = (await readdir(folder)).filter((name) => name.endsWith('.obj')).sort();
  const delta = async (file: string): Promise<Float32Array> => {
    const path = join(folder, file);
    const shape = parsePositions(await readText(path), count, path);
    for (let i = 0; i < shape.length; i++) shape[i]! -= mesh.positions[i]!;
    return shape;
  };
  const identities: Float32Array[] = [];
  const expressions: SparseShape[] = [];
  for (const file of files) {
    if (file === 'generic_neutral_mesh.obj') continue;
    if (!file.startsWith('identity')) {
      expressions.push(sparse(file.replace('.obj', ''), await delta(file)));
    } else if (identities.length < identityModes) identities.push(await delta(file));
  }
  if (identities.length === 0 || expressions.length === 0) {
    throw new ClmexError('not-found', 'no identity or expression shapes', {
      field: 'data',
      value: folder,
      allowed: 'a checkout of ICT-FaceKit',
    });
  }
  const { positions, uv, parts } = mesh;
  return { vertexCount: count, neutral: positions, uv, parts, identities, expressions };
}

function sparse(name: string, delta: Float32Array): SparseShape {
  const vertices: number[] = [];
  for (let v = 0; v < delta.length / 3; v++) {
    const [x, y, z] = [delta[3 * v]!, delta[3 * v + 1]!, delta[3 * v + 2]!];
    if (Math.max(Math.abs(x), Math.abs(y), Math.abs(z)) > STILL_CM) vertices.push(v);
  }
  const deltas = new Float32Array(vertices.length * 3);
  vertices.forEach((v, i) => {
    deltas.set(delta.subarray(3 * v, 3 * v + 3), 3 * i);
  });
  return { name, vertices: Uint32Array.from(vertices), deltas };
}
