import type { Box } from '../../core/types.js';

/** RGB24 picture, row-major. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/**
 * A rectangle of the picture, turned clockwise by `rotation` radians about its centre; picture
 * pixels, continuous coordinates (a pixel's centre lies at +0.5).
 */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly rotation: number;
}

/** The smallest square around the whole picture: what letterboxing shows the detector. */
export function letterbox({ width, height }: Pixels, rotation = 0): Region {
  const side = Math.max(width, height);
  return { x: width / 2, y: height / 2, width: side, height: side, rotation };
}

/** Place in the picture of a point given in [0, 1]² of the region. */
export function fromRegion(region: Region, u: number, v: number): [number, number] {
  const [dx, dy] = [(u - 0.5) * region.width, (v - 0.5) * region.height];
  const [cos, sin] = [Math.cos(region.rotation), Math.sin(region.rotation)];
  return [region.x + dx * cos - dy * sin, region.y + dx * sin + dy * cos];
}

/** The upright box around a region. */
export function boundsOf(region: Region): Box {
  const [cos, sin] = [Math.abs(Math.cos(region.rotation)), Math.abs(Math.sin(region.rotation))];
  const width = region.width * cos + region.height * sin;
  const height = region.width * sin + region.height * cos;
  return { x: region.x - width / 2, y: region.y - height / 2, width, height };
}

export interface Sampling {
  /** Side of the square input. */
  readonly side: number;
  /** Value of black and of white. */
  readonly range: readonly [number, number];
  /** What lies outside the picture: black, or the border's pixels repeated. */
  readonly border: 'black' | 'repeat';
}

/**
 * Bilinear samples of a region as floats, side × side × 3, written from `offset` on. As in
 * MediaPipe's own conversion nothing is averaged where the region is larger than the input.
 */
export function sampleRegion(
  picture: Pixels,
  region: Region,
  { side, range, border }: Sampling,
  out: Float32Array,
  offset: number,
): void {
  const { width, height, pixels } = picture;
  const [low, high] = range;
  const gain = (high - low) / 255;
  const [cos, sin] = [Math.cos(region.rotation), Math.sin(region.rotation)];
  const [stepX, stepY] = [region.width / side, region.height / side];
  const [ux, uy] = [stepX * cos, stepX * sin];
  const [vx, vy] = [-stepY * sin, stepY * cos];
  const middle = side / 2;
  const repeat = border === 'repeat';
  const [lastX, lastY] = [width - 1, height - 1];
  let at = offset;
  for (let v = 0; v < side; v++) {
    // The region's corner falls on the first sample, a pixel's index is its place: the convention of
    // MediaPipe's CPU path, by which the models' outputs are read.
    let x = region.x - middle * ux + (v - middle) * vx;
    let y = region.y - middle * uy + (v - middle) * vy;
    for (let u = 0; u < side; u++, x += ux, y += uy, at += 3) {
      if (!(x >= 0 && y >= 0 && x < lastX && y < lastY)) {
        if (!repeat && (x <= -1 || y <= -1 || x >= width || y >= height)) out.fill(low, at, at + 3);
        else sampleAtBorder(picture, x, y, repeat, gain, low, out, at);
        continue;
      }
      const x0 = x | 0;
      const y0 = y | 0;
      const fx = x - x0;
      const fy = y - y0;
      const i = (y0 * width + x0) * 3;
      const j = i + width * 3;
      const w11 = fx * fy * gain;
      const w01 = fx * gain - w11;
      const w10 = fy * gain - w11;
      const w00 = gain - w01 - w10 - w11;
      out[at] = pixels[i]! * w00 + pixels[i + 3]! * w01 + pixels[j]! * w10 + pixels[j + 3]! * w11 + low; // prettier-ignore
      out[at + 1] = pixels[i + 1]! * w00 + pixels[i + 4]! * w01 + pixels[j + 1]! * w10 + pixels[j + 4]! * w11 + low; // prettier-ignore
      out[at + 2] = pixels[i + 2]! * w00 + pixels[i + 5]! * w01 + pixels[j + 2]! * w10 + pixels[j + 5]! * w11 + low; // prettier-ignore
    }
  }
}

/** A sample of which some of the four pixels lie outside. */
function sampleAtBorder(
  { width, height, pixels }: Pixels,
  x: number,
  y: number,
  repeat: boolean,
  gain: number,
  low: number,
  out: Float32Array,
  at: number,
): void {
  const x0 = Math.floor(x);
  const y0 = Math.floor(y);
  out.fill(low, at, at + 3);
  for (let corner = 0; corner < 4; corner++) {
    const cx = x0 + (corner & 1);
    const cy = y0 + (corner >> 1);
    if (!repeat && !(cx >= 0 && cy >= 0 && cx < width && cy < height)) continue;
    const px = Math.min(width - 1, Math.max(0, cx));
    const py = Math.min(height - 1, Math.max(0, cy));
    const weight = (corner & 1 ? x - x0 : 1 - x + x0) * (corner >> 1 ? y - y0 : 1 - y + y0) * gain;
    const from = (py * width + px) * 3;
    out[at]! += weight * pixels[from]!;
    out[at + 1]! += weight * pixels[from + 1]!;
    out[at + 2]! += weight * pixels[from + 2]!;
  }
}
