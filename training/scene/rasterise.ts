/** An RGB picture in linear light, row-major, 1 = white. */
export interface Texture {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

/** A textured map on a surface: colour = albedo + blend · (texture − albedo). */
interface SurfaceTexture {
  readonly image: Texture;
  /** Texture coordinates a vertex in pixels of `image`. */
  readonly uv: Float32Array;
  /** 0–1 a vertex; 1 everywhere where absent. */
  readonly blend?: Float32Array;
}

/** Triangles ready to draw; several surfaces may share their vertex arrays. */
export interface Surface {
  readonly triangles: Uint32Array;
  /** x, y in samples of the target, 1 / depth; 1 / depth ≤ 0: behind the camera. */
  readonly screen: Float32Array;
  /** Linear RGB a vertex. */
  readonly light: Float32Array;
  readonly albedo: Float32Array;
  readonly texture?: SurfaceTexture;
  /** Draw both sides. */
  readonly twoSided?: boolean;
  /** Draws over what is there with this opacity, in `albedo`, and hides nothing. */
  readonly veil?: number;
}

/** Where surfaces are drawn: width × height samples, linear RGB. */
export class Target {
  readonly color: Float32Array;
  readonly #inverseDepth: Float32Array;
  readonly #triangle: Int32Array;
  readonly #surface: Uint8Array;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    const samples = width * height;
    this.color = new Float32Array(samples * 3);
    this.#inverseDepth = new Float32Array(samples);
    this.#triangle = new Int32Array(samples);
    this.#surface = new Uint8Array(samples);
  }

  /** Draws surfaces over what `color` holds; every call starts with a fresh depth buffer. */
  draw(surfaces: readonly Surface[]): void {
    this.#inverseDepth.fill(0);
    this.#triangle.fill(-1);
    const opaque = surfaces.filter(({ veil }) => veil === undefined);
    opaque.forEach((surface, index) => {
      this.#scan(surface, (at, inverseDepth, triangle) => {
        if (inverseDepth <= this.#inverseDepth[at]!) return;
        this.#inverseDepth[at] = inverseDepth;
        this.#triangle[at] = triangle;
        this.#surface[at] = index;
      });
    });
    this.#shade(opaque);
    for (const surface of surfaces) {
      if (surface.veil !== undefined) this.#veil(surface, surface.veil);
    }
  }

  #veil({ albedo, ...surface }: Surface, opacity: number): void {
    const { triangles } = surface;
    this.#scan({ albedo, ...surface }, (at, inverseDepth, triangle) => {
      if (inverseDepth < this.#inverseDepth[at]!) return;
      const from = 3 * triangles[triangle]!;
      for (let c = 0; c < 3; c++) {
        const under = this.color[3 * at + c]!;
        this.color[3 * at + c] = under + opacity * (albedo[from + c]! - under);
      }
    });
  }

  /** Calls `visit` for every sample whose centre lies in a triangle. */
  #scan(
    { triangles, screen, twoSided = false }: Surface,
    visit: (at: number, inverseDepth: number, triangle: number) => void,
  ): void {
    const { width, height } = this;
    for (let t = 0; t < triangles.length; t += 3) {
      const a = 3 * triangles[t]!;
      const b = 3 * triangles[t + 1]!;
      const c = 3 * triangles[t + 2]!;
      const za = screen[a + 2]!;
      const zb = screen[b + 2]!;
      const zc = screen[c + 2]!;
      if (za <= 0 || zb <= 0 || zc <= 0) continue;
      const ax = screen[a]!;
      const ay = screen[a + 1]!;
      const bx = screen[b]!;
      const by = screen[b + 1]!;
      const cx = screen[c]!;
      const cy = screen[c + 1]!;
      // Counter-clockwise outside turns clockwise where y points down: the area is negative.
      let area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
      if (twoSided ? area === 0 : area >= 0) continue;
      const x0 = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5));
      const x1 = Math.min(width - 1, Math.floor(Math.max(ax, bx, cx) - 0.5));
      const y0 = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5));
      const y1 = Math.min(height - 1, Math.floor(Math.max(ay, by, cy) - 0.5));
      if (x0 > x1 || y0 > y1) continue;
      area = 1 / area;
      const dax = (by - cy) * area;
      const day = (cx - bx) * area;
      const dbx = (cy - ay) * area;
      const dby = (ax - cx) * area;
      for (let y = y0; y <= y1; y++) {
        const py = y + 0.5;
        let wa = dax * (x0 + 0.5 - cx) + day * (py - cy);
        let wb = dbx * (x0 + 0.5 - cx) + dby * (py - cy);
        for (let x = x0; x <= x1; x++) {
          const wc = 1 - wa - wb;
          if (wa >= 0 && wb >= 0 && wc >= 0) visit(y * width + x, wa * za + wb * zb + wc * zc, t);
          wa += dax;
          wb += dbx;
        }
      }
    }
  }

  #shade(surfaces: readonly Surface[]): void {
    const { width, height, color } = this;
    const rgb = new Float32Array(3);
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        const t = this.#triangle[at]!;
        if (t < 0) continue;
        const { triangles, screen, light, albedo, texture } = surfaces[this.#surface[at]!]!;
        const a = triangles[t]!;
        const b = triangles[t + 1]!;
        const c = triangles[t + 2]!;
        const cx = screen[3 * c]!;
        const cy = screen[3 * c + 1]!;
        const ux = screen[3 * a]! - cx;
        const uy = screen[3 * a + 1]! - cy;
        const vx = screen[3 * b]! - cx;
        const vy = screen[3 * b + 1]! - cy;
        const px = x + 0.5 - cx;
        const py = y + 0.5 - cy;
        const area = 1 / (ux * vy - uy * vx);
        let wa = (px * vy - py * vx) * area;
        let wb = (ux * py - uy * px) * area;
        let wc = (1 - wa - wb) * screen[3 * c + 2]!;
        wa *= screen[3 * a + 2]!;
        wb *= screen[3 * b + 2]!;
        const sum = 1 / (wa + wb + wc);
        wa *= sum;
        wb *= sum;
        wc *= sum;
        let blend = 0;
        if (texture !== undefined) {
          const { uv, image, blend: weights } = texture;
          blend =
            weights === undefined ? 1 : wa * weights[a]! + wb * weights[b]! + wc * weights[c]!;
          if (blend > 0.004) {
            sample(
              image,
              wa * uv[2 * a]! + wb * uv[2 * b]! + wc * uv[2 * c]!,
              wa * uv[2 * a + 1]! + wb * uv[2 * b + 1]! + wc * uv[2 * c + 1]!,
              rgb,
            );
          }
        }
        for (let k = 0; k < 3; k++) {
          const base = wa * albedo[3 * a + k]! + wb * albedo[3 * b + k]! + wc * albedo[3 * c + k]!;
          const lit = wa * light[3 * a + k]! + wb * light[3 * b + k]! + wc * light[3 * c + k]!;
          color[3 * at + k] = lit * (blend > 0.004 ? base + blend * (rgb[k]! - base) : base);
        }
      }
    }
  }
}

/** Bilinear, clamped at the border; texel centres lie at integers. */
export function sample(
  { width, height, data }: Texture,
  u: number,
  v: number,
  out: Float32Array,
): void {
  const x = u < 0 ? 0 : u > width - 1.001 ? width - 1.001 : u;
  const y = v < 0 ? 0 : v > height - 1.001 ? height - 1.001 : v;
  const x0 = x | 0;
  const y0 = y | 0;
  const fx = x - x0;
  const fy = y - y0;
  const at = 3 * (y0 * width + x0);
  const down = at + 3 * width;
  for (let k = 0; k < 3; k++) {
    const top = data[at + k]! + fx * (data[at + 3 + k]! - data[at + k]!);
    const bottom = data[down + k]! + fx * (data[down + 3 + k]! - data[down + k]!);
    out[k] = top + fy * (bottom - top);
  }
}
