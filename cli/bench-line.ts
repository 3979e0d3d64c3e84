/** Least-squares line through points. */
export interface Line {
  readonly slope: number;
  /** Value at zero. */
  readonly offset: number;
  /** Share of the points' variance that the line explains, 0–1 (R²); 1 where they do not vary. */
  readonly explained: number;
}

export function lineThrough(points: readonly (readonly [x: number, y: number])[]): Line {
  const mean = (pick: (point: readonly [number, number]) => number): number =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length;
  const [x, y] = [mean((point) => point[0]), mean((point) => point[1])];
  const along = mean((point) => (point[0] - x) * (point[1] - y));
  const spread = mean((point) => (point[0] - x) ** 2);
  const variance = mean((point) => (point[1] - y) ** 2);
  const slope = spread > 0 ? along / spread : 0;
  return { slope, offset: y - slope * x, explained: variance > 0 ? (slope * along) / variance : 1 };
}
