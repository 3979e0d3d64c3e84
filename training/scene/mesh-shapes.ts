import { join } from 'node:path';
import { readHeadModel } from './head-model.js';
import { MESH_POINTS, meshPoints } from './mesh468.js';

/** How expression shapes move MediaPipe's mesh; centimetres, axes of a picture: x right, y down, z away. */
export interface MeshShapes {
  /** The mean head at rest. 468 × 3 */
  readonly rest: Float32Array;
  /** What each point moves by where a shape's weight is 1, by the shape's name. 468 × 3 */
  readonly moves: ReadonlyMap<string, Float32Array>;
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
  return { rest: seenStraightOn(meshPoints(neutral)), moves: new Map(moves) };
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

/** From the head's axes (x to its left, y up, z out). */
const seenStraightOn = (points: Float32Array): Float32Array =>
  points.map((value, i) => (i % 3 === 0 ? value : -value));
