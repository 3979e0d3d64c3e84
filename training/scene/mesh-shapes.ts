import { join } from 'node:path';
import type { Painted } from '../warp.js';
import { linearToSrgb } from './color.js';
import { makeGlasses } from './glasses.js';
import { readHeadModel } from './head-model.js';
import type { Random } from './random.js';
import { MESH_POINTS, meshPoints } from './mesh468.js';

/** How expression shapes move MediaPipe's mesh; centimetres, axes of a picture: x right, y down, z away. */
export interface MeshShapes {
  /** The mean head at rest. 468 × 3 */
  readonly rest: Float32Array;
  /** What each point moves by where a shape's weight is 1, by the shape's name. 468 × 3 */
  readonly moves: ReadonlyMap<string, Float32Array>;
  /** All vertices of the mean head, in the head's axes: x to its left, y up, z out. */
  readonly head: Float32Array;
}

/**
 * Of ICT-FaceKit's head, seen straight on.
 * @param dir holds ict-facekit/
 * @throws ClmexError `not-found` naming what is missing
 */
export async function readMeshShapes(dir: string): Promise<MeshShapes> {
  const { neutral, expressions } = await readHeadModel(join(dir, 'ict-facekit'), 1);
  const moves = expressions.map(({ name, vertices, deltas }): [string, Float32Array] => {
    const all = new Float32Array(neutral.length);
    vertices.forEach((vertex, i) => all.set(deltas.subarray(3 * i, 3 * i + 3), 3 * vertex));
    return [name, seenStraightOn(meshPoints(all))];
  });
  return { rest: seenStraightOn(meshPoints(neutral)), moves: new Map(moves), head: neutral };
}

/** What the mesh moves by under these weights. 468 × 3 */
export function moveMesh(
  { moves }: MeshShapes,
  weights: ReadonlyMap<string, number>,
): Float32Array {
  const sum = new Float32Array(3 * MESH_POINTS.length);
  for (const [name, weight] of weights) {
    const move = moves.get(name);
    if (move) for (let i = 0; i < sum.length; i++) sum[i]! += weight * move[i]!;
  }
  return sum;
}

/** Frames of spectacles before the mean head's eyes, in the mesh's axes. */
export function framesFor({ head }: MeshShapes, random: Random): Painted {
  const { positions, triangles, color } = makeGlasses(head, random).frame;
  const tone = color.reduce((sum, value) => sum + linearToSrgb(value) / 3, 0);
  return { positions: seenStraightOn(positions), triangles, tone };
}

/** From the head's axes. */
const seenStraightOn = (points: Float32Array): Float32Array =>
  points.map((value, i) => (i % 3 === 0 ? value : -value));
