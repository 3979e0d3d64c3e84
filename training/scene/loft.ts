import { cross, normalize } from '../../core/geometry.js';

/** A painted body: centimetres, head axes. */
export interface Solid {
  readonly positions: Float32Array;
  readonly triangles: Uint32Array;
  /** Linear RGB. */
  readonly color: readonly [number, number, number];
}

export type Point = readonly [number, number, number];

/** A closed ring of points around a turn; sine and cosine of each point's angle are given. */
export function circle(point: (sine: number, cosine: number) => Point, segments = 40): Point[] {
  return Array.from({ length: segments }, (_, s) => {
    const angle = (2 * Math.PI * s) / segments;
    return point(Math.sin(angle), Math.cos(angle));
  });
}

/**
 * Joins rings of equal length by triangles and adds them to a mesh. They face outwards where the
 * rings run downwards.
 */
export function loft(rings: readonly Point[][], positions: number[], triangles: number[]): void {
  const first = positions.length / 3;
  rings.forEach((ring, i) => {
    const count = ring.length;
    for (const point of ring) positions.push(...point);
    if (i === 0) return;
    for (let s = 0; s < count; s++) {
      const above = first + (i - 1) * count;
      const [a, b] = [above + s, above + ((s + 1) % count)];
      triangles.push(a, a + count, b, b, a + count, b + count);
    }
  });
}

/** A body of round section along a line of points, with a radius at each; faces outwards. */
export function tube(
  line: readonly Point[],
  radiusAt: (point: number) => number,
  positions: number[],
  triangles: number[],
  segments = 6,
): void {
  const rings = line.map(([x, y, z], i) => {
    const [a, b] = [line[Math.max(0, i - 1)]!, line[Math.min(line.length - 1, i + 1)]!];
    const along = [b[0] - a[0], b[1] - a[1], b[2] - a[2]] as const;
    const length = Math.hypot(...along) || 1;
    // Two directions square to the line, from whichever axis it follows least.
    const pick = Math.abs(along[2]) > 0.8 * length ? ([0, 1, 0] as const) : ([0, 0, 1] as const);
    const u = normalize(cross(along, pick));
    const v = normalize(cross(u, along));
    return circle((sine, cosine): Point => {
      const [c, d] = [radiusAt(i) * cosine, radiusAt(i) * sine];
      return [x + c * u[0] + d * v[0], y + c * u[1] + d * v[1], z + c * u[2] + d * v[2]];
    }, segments);
  });
  loft(rings, positions, triangles);
}
