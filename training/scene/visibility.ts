import { cross, normalize, type Vec3 } from '../../core/geometry.js';
import { SKIN_VERTICES, type HeadModel } from './head-model.js';
import { express, vertexNormals } from './shape.js';

/** Light directions spread evenly over the sphere (Fibonacci lattice), head axes. */
export const LIGHT_DIRECTIONS: readonly Vec3[] = fibonacciSphere(120);

const MAP_SIDE = 192;
const HALF_EXTENT_CM = 22;
const BIAS_CM = 0.35;

/** Which vertices see which light direction: `directions × vertices` bytes, 255 = free. */
export interface Visibility {
  readonly vertexCount: number;
  readonly bytes: Uint8Array;
}

/**
 * Shadows of the head on itself, computed once on the mean head: skin and eyes with the mouth
 * closed, the inside of the mouth with the jaw dropped and the lips apart.
 */
export function computeVisibility(model: HeadModel): Visibility {
  const open = {
    jawOpen: 0.7,
    mouthUpperUp_L: 0.5,
    mouthUpperUp_R: 0.5,
    mouthLowerDown_L: 0.6,
    mouthLowerDown_R: 0.6,
  };
  const closed = castShadows(model, model.neutral);
  const opened = castShadows(model, express(model, model.neutral, open));
  const inside = new Uint8Array(model.vertexCount);
  for (const name of ['M_GumsTongue', 'M_Teeth']) {
    for (const v of model.parts.get(name) ?? []) inside[v] = 1;
  }
  for (let v = SKIN_VERTICES; v < 13_294; v++) inside[v] = 1; // The mouth socket is part of the back of the head.
  for (let i = 0; i < closed.length; i++) {
    if (inside[i % model.vertexCount] === 1) closed[i] = opened[i]!;
  }
  return { vertexCount: model.vertexCount, bytes: closed };
}

const CASTERS = ['M_Face', 'M_BackHead', 'M_Teeth'];

function castShadows(model: HeadModel, positions: Float32Array): Uint8Array {
  const casters = CASTERS.flatMap((name) => model.parts.get(name) ?? []);
  const normals = vertexNormals(positions, model.parts.values());
  const count = model.vertexCount;
  const bytes = new Uint8Array(LIGHT_DIRECTIONS.length * count);
  const depth = new Float32Array(MAP_SIDE * MAP_SIDE);
  const seen = new Float32Array(count * 3);
  LIGHT_DIRECTIONS.forEach((direction, d) => {
    const right = normalize(cross(Math.abs(direction[1]) > 0.9 ? [0, 0, 1] : [0, 1, 0], direction));
    const up = cross(direction, right);
    const scale = MAP_SIDE / (2 * HALF_EXTENT_CM);
    for (let v = 0; v < count; v++) {
      const [x, y, z] = [positions[3 * v]!, positions[3 * v + 1]!, positions[3 * v + 2]!];
      seen[3 * v] = (x * right[0] + y * right[1] + z * right[2] + HALF_EXTENT_CM) * scale;
      seen[3 * v + 1] = (x * up[0] + y * up[1] + z * up[2] + HALF_EXTENT_CM) * scale;
      seen[3 * v + 2] = x * direction[0] + y * direction[1] + z * direction[2];
    }
    depth.fill(-1e9);
    for (const triangles of casters) depthMap(triangles, seen, depth);
    for (let v = 0; v < count; v++) {
      const facing =
        normals[3 * v]! * direction[0] +
        normals[3 * v + 1]! * direction[1] +
        normals[3 * v + 2]! * direction[2];
      if (facing <= 0) continue;
      const limit = seen[3 * v + 2]! + BIAS_CM + 0.4 * (1 - facing);
      bytes[d * count + v] = 255 * lightFraction(depth, seen[3 * v]!, seen[3 * v + 1]!, limit);
    }
  });
  return bytes;
}

/** Share of the four texels around a point that lie no nearer to the light than `limit`. */
function lightFraction(depth: Float32Array, x: number, y: number, limit: number): number {
  const x0 = Math.min(MAP_SIDE - 2, Math.max(0, Math.floor(x - 0.5)));
  const y0 = Math.min(MAP_SIDE - 2, Math.max(0, Math.floor(y - 0.5)));
  const fx = Math.min(1, Math.max(0, x - 0.5 - x0));
  const fy = Math.min(1, Math.max(0, y - 0.5 - y0));
  const at = y0 * MAP_SIDE + x0;
  const lit = (i: number): number => (depth[i]! <= limit ? 1 : 0);
  const top = lit(at) * (1 - fx) + lit(at + 1) * fx;
  const bottom = lit(at + MAP_SIDE) * (1 - fx) + lit(at + MAP_SIDE + 1) * fx;
  return top * (1 - fy) + bottom * fy;
}

function depthMap(triangles: Uint32Array, points: Float32Array, depth: Float32Array): void {
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = [3 * triangles[t]!, 3 * triangles[t + 1]!, 3 * triangles[t + 2]!];
    const [ax, ay, az] = [points[a]!, points[a + 1]!, points[a + 2]!];
    const [bx, by, bz] = [points[b]!, points[b + 1]!, points[b + 2]!];
    const [cx, cy, cz] = [points[c]!, points[c + 1]!, points[c + 2]!];
    const area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
    if (area === 0) continue;
    const x0 = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5));
    const x1 = Math.min(MAP_SIDE - 1, Math.floor(Math.max(ax, bx, cx) - 0.5));
    const y0 = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5));
    const y1 = Math.min(MAP_SIDE - 1, Math.floor(Math.max(ay, by, cy) - 0.5));
    for (let y = y0; y <= y1; y++) {
      for (let x = x0; x <= x1; x++) {
        const [px, py] = [x + 0.5, y + 0.5];
        const wa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area;
        const wb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area;
        const wc = 1 - wa - wb;
        if (wa < 0 || wb < 0 || wc < 0) continue;
        const z = wa * az + wb * bz + wc * cz;
        const at = y * MAP_SIDE + x;
        if (z > depth[at]!) depth[at] = z;
      }
    }
  }
}

function fibonacciSphere(count: number): Vec3[] {
  const turn = Math.PI * (3 - Math.sqrt(5));
  return Array.from({ length: count }, (_, i) => {
    const y = 1 - (2 * (i + 0.5)) / count;
    const radius = Math.sqrt(1 - y * y);
    return [radius * Math.cos(turn * i), y, radius * Math.sin(turn * i)];
  });
}
