import type { HeadModel } from './head-model.js';

/** Weights of the expression shapes by name, 0–1 (a smile may go to 1.3). */
export type ShapeWeights = Readonly<Record<string, number>>;

/**
 * The neutral head of a person: one unit-Gaussian weight an identity mode.
 * @param vertices how many vertices are wanted, from the first
 */
export function identityHead(
  model: HeadModel,
  weights: readonly number[],
  vertices = model.vertexCount,
): Float32Array {
  const head = model.neutral.slice(0, 3 * vertices);
  weights.forEach((weight, mode) => {
    const delta = model.identities[mode];
    if (delta === undefined || weight === 0) return;
    for (let i = 0; i < head.length; i++) head[i]! += weight * delta[i]!;
  });
  return head;
}

/** Adds expression shapes to a person's neutral head; writes into `out` where given. */
export function express(
  model: HeadModel,
  head: Float32Array,
  weights: ShapeWeights,
  out: Float32Array = new Float32Array(head.length),
): Float32Array {
  out.set(head);
  for (const { name, vertices, deltas } of model.expressions) {
    const weight = weights[name] ?? 0;
    if (weight === 0) continue;
    for (let i = 0; i < vertices.length; i++) {
      const at = 3 * vertices[i]!;
      out[at]! += weight * deltas[3 * i]!;
      out[at + 1]! += weight * deltas[3 * i + 1]!;
      out[at + 2]! += weight * deltas[3 * i + 2]!;
    }
  }
  return out;
}

/** Unit normals a vertex, averaged over triangles by area. */
export function vertexNormals(positions: Float32Array, parts: Iterable<Uint32Array>): Float32Array {
  const normals = new Float32Array(positions.length);
  for (const triangles of parts) {
    for (let t = 0; t < triangles.length; t += 3) {
      const [a, b, c] = [3 * triangles[t]!, 3 * triangles[t + 1]!, 3 * triangles[t + 2]!];
      const ux = positions[b]! - positions[a]!;
      const uy = positions[b + 1]! - positions[a + 1]!;
      const uz = positions[b + 2]! - positions[a + 2]!;
      const vx = positions[c]! - positions[a]!;
      const vy = positions[c + 1]! - positions[a + 1]!;
      const vz = positions[c + 2]! - positions[a + 2]!;
      const nx = uy * vz - uz * vy;
      const ny = uz * vx - ux * vz;
      const nz = ux * vy - uy * vx;
      for (let k = 0; k < 3; k++) {
        const v = k === 0 ? a : k === 1 ? b : c;
        normals[v]! += nx;
        normals[v + 1]! += ny;
        normals[v + 2]! += nz;
      }
    }
  }
  for (let v = 0; v < normals.length; v += 3) {
    const length = Math.hypot(normals[v]!, normals[v + 1]!, normals[v + 2]!) || 1;
    normals[v]! /= length;
    normals[v + 1]! /= length;
    normals[v + 2]! /= length;
  }
  return normals;
}
