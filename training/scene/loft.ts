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
