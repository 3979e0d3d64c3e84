/** RGB24, row-major. */
export interface RgbPicture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** The border of MediaPipe's mesh, in order around. */
export const FACE_OVAL = [
  10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148,
  176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
];

/** Points of a mesh that carries a picture. */
export interface Vertices {
  /** x, y where the picture shows the point. */
  readonly from: Float32Array;
  /** x, y, depth where it is drawn; smaller depths are nearer. */
  readonly to: Float32Array;
}

/** Of one tone, drawn over a picture. */
export interface Painted {
  /** N × 3: x, y, depth. */
  readonly positions: Float32Array;
  readonly triangles: ArrayLike<number>;
  /** 0–255 */
  readonly tone: number;
}

/**
 * A mesh draws the picture that it carries where its points have gone, with a depth buffer; pixels that no
 * triangle covers keep the picture's own.
 * @param triangles three indices each.
 * @param painted is hidden behind the mesh and hides it.
 */
export function warpPicture(
  picture: RgbPicture,
  { from, to }: Vertices,
  triangles: readonly number[],
  painted?: Painted,
): RgbPicture {
  const pixels = picture.pixels.slice();
  const depths = new Float32Array(picture.width * picture.height).fill(Infinity);
  const sample = new Float64Array(3);
  rasterise(picture, to, triangles, depths, (at, [a, b, c], wa, wb, wc) => {
    const u = wa * from[2 * a]! + wb * from[2 * b]! + wc * from[2 * c]!;
    const v = wa * from[2 * a + 1]! + wb * from[2 * b + 1]! + wc * from[2 * c + 1]!;
    sample.fill(0);
    addSample(picture, u, v, sample);
    for (let k = 0; k < 3; k++) pixels[3 * at + k] = sample[k]! + 0.5;
  });
  if (painted) {
    rasterise(picture, painted.positions, painted.triangles, depths, (at) => {
      pixels.fill(painted.tone, 3 * at, 3 * at + 3);
    });
  }
  return { ...picture, pixels };
}

/** Triangles between two rings of as many points each, one around the other. */
export function bandBetween(inner: readonly number[], outer: readonly number[]): number[] {
  return inner.flatMap((a, i) => {
    const next = (i + 1) % inner.length;
    return [a, inner[next]!, outer[i]!, outer[i]!, inner[next]!, outer[next]!];
  });
}

type Corners = readonly [a: number, b: number, c: number];

/**
 * Visits the pixels of triangles that lie before what was drawn, with the weights of the corners.
 * @param to x, y, depth a vertex.
 */
function rasterise(
  { width, height }: RgbPicture,
  to: Float32Array,
  triangles: ArrayLike<number>,
  depths: Float32Array,
  visit: (at: number, corners: Corners, wa: number, wb: number, wc: number) => void,
): void {
  for (let t = 0; t < triangles.length; t += 3) {
    const corners: Corners = [triangles[t]!, triangles[t + 1]!, triangles[t + 2]!];
    const [a, b, c] = corners;
    const [ax, ay, bx, by, cx, cy] = [to[3 * a]!, to[3 * a + 1]!, to[3 * b]!, to[3 * b + 1]!, to[3 * c]!, to[3 * c + 1]!];
    const area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
    if (Math.abs(area) < 1e-6) continue;
    const last = [Math.min(width - 1, Math.ceil(Math.max(ax, bx, cx))), Math.min(height - 1, Math.ceil(Math.max(ay, by, cy)))] as const;
    for (let y = Math.max(0, Math.floor(Math.min(ay, by, cy))); y <= last[1]; y++) {
      for (let x = Math.max(0, Math.floor(Math.min(ax, bx, cx))); x <= last[0]; x++) {
        const [px, py] = [x + 0.5, y + 0.5];
        const wb = ((px - ax) * (cy - ay) - (py - ay) * (cx - ax)) / area;
        const wc = ((bx - ax) * (py - ay) - (by - ay) * (px - ax)) / area;
        const wa = 1 - wb - wc;
        if (wa < 0 || wb < 0 || wc < 0) continue;
        const depth = wa * to[3 * a + 2]! + wb * to[3 * b + 2]! + wc * to[3 * c + 2]!;
        const at = y * width + x;
        if (depth >= depths[at]!) continue;
        depths[at] = depth;
        visit(at, corners, wa, wb, wc);
      }
    }
  }
} // prettier-ignore

/** Adds the picture's colour at a place: bilinear, a pixel's centre at +0.5; the border repeats. */
export function addSample(
  { width, height, pixels }: RgbPicture,
  x: number,
  y: number,
  sum: Float64Array,
): void {
  const cx = Math.min(width - 1, Math.max(0, x - 0.5));
  const cy = Math.min(height - 1, Math.max(0, y - 0.5));
  const [x0, y0] = [cx | 0, cy | 0];
  const [fx, fy] = [cx - x0, cy - y0];
  const i = (y0 * width + x0) * 3;
  const right = x0 + 1 < width ? 3 : 0;
  const below = y0 + 1 < height ? width * 3 : 0;
  for (let c = 0; c < 3; c++) {
    const upper = pixels[i + c]! * (1 - fx) + pixels[i + right + c]! * fx;
    const lower = pixels[i + below + c]! * (1 - fx) + pixels[i + below + right + c]! * fx;
    sum[c]! += upper * (1 - fy) + lower * fy;
  }
}
