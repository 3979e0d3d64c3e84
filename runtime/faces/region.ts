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

/** The turn between two rotations, radians, 0 to π. */
export function turnBetween(a: number, b: number): number {
  return Math.abs(Math.atan2(Math.sin(a - b), Math.cos(a - b)));
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
  const clamps = repeat && lastX > 0 && lastY > 0;
  const bytes = new DataView(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  const level = Math.abs(uy) < Math.abs(ux) / 2;
  let at = offset;
  for (let v = 0; v < side; v++) {
    const ahead = v + AHEAD - middle;
    if (level) fetchLine(picture, region.x - middle * ux + ahead * vx, region.y - middle * uy + ahead * vy, ux, uy, side); // prettier-ignore
    // The region's corner falls on the first sample, a pixel's index is its place: the convention of
    // MediaPipe's CPU path, by which the models' outputs are read.
    const x = region.x - middle * ux + (v - middle) * vx;
    const y = region.y - middle * uy + (v - middle) * vy;
    const [from, to] = spanInside(x, ux, lastX, y, uy, lastY, side);
    for (let u = 0; u < side; u++, at += 3) {
      const [sx, sy] = [x + u * ux, y + u * uy];
      if (u === from) {
        sampleInside(bytes, width, sx, sy, ux, uy, to - from, gain, low, out, at);
        at += 3 * (to - from - 1);
        u = to - 1;
      } else if (clamps) {
        sampleInside(bytes, width, clamp(sx, lastX), clamp(sy, lastY), 0, 0, 1, gain, low, out, at);
      } else if (repeat || (sx > -1 && sy > -1 && sx < width && sy < height)) {
        sampleAtBorder(picture, sx, sy, repeat, gain, low, out, at);
      } else {
        out[at] = out[at + 1] = out[at + 2] = low;
      }
    }
  }
}

/** Lines whose pixels are fetched before they are sampled. */
const AHEAD = 4;
/** Pixels in a cache line of 64 bytes. */
const LINE_PIXELS = 21;
/** Where what is read goes, so that it is read. */
const fetched = new Uint8Array(1);

/**
 * Reads a byte of each cache line that a line of samples will touch. The processor fetches all of
 * them at once, where sampling would wait for one after the other: a face 300 pixels wide in a frame
 * that another core wrote takes 0.5 ms instead of 0.8.
 */
function fetchLine(
  { width, height, pixels }: Pixels,
  x: number,
  y: number,
  ux: number,
  uy: number,
  side: number,
): void {
  const step = Math.max(1, Math.floor(1 / Math.max(Math.abs(ux) / LINE_PIXELS, Math.abs(uy) / 2)));
  for (let u = 0; u < side; u += step) {
    const [column, row] = [(x + u * ux) | 0, (y + u * uy) | 0];
    if (column < 0 || row < 0 || column >= width || row >= height - 1) continue;
    const at = (row * width + column) * 3;
    fetched[0]! ^= pixels[at]! ^ pixels[at + width * 3]!;
  }
}

/** Just inside the last pixel, so that there is one after it. */
const clamp = (value: number, last: number): number => value < 0 ? 0 : value < last ? value : last - 1e-3; // prettier-ignore

/** More than a row's sums of steps lose. */
const ROUNDING = 1e-6;

/** Places are counted in 1024ths of a pixel in 32 bits. */
const FARTHEST = 1 << 21;

/** The steps [from, to) of a row at which all four pixels lie inside the picture; from = to for none. */
function spanInside(
  x: number,
  ux: number,
  lastX: number,
  y: number,
  uy: number,
  lastY: number,
  side: number,
): [number, number] {
  let [from, to] = [0, side];
  for (const [start, step, last] of [[x, ux, lastX - ROUNDING], [y, uy, lastY - ROUNDING]] as const) {
    if (!(last > 0 && last < FARTHEST)) return [side, side];
    if (Math.abs(step) < ROUNDING) {
      // Rows along a border: over a whole row the step adds up to less than the margin.
      if (!(start >= 0 && start < last - side * Math.abs(step))) return [side, side];
      continue;
    }
    const [a, b] = [-start / step, (last - start) / step];
    from = Math.max(from, Math.ceil(Math.min(a, b)));
    to = Math.min(to, Math.floor(Math.max(a, b)) + 1);
  } // prettier-ignore
  return from < to ? [from, to] : [side, side];
}

/** A run of samples whose four pixels all lie inside, placed to a 1024th of a pixel. */
function sampleInside(
  bytes: DataView,
  width: number,
  x: number,
  y: number,
  ux: number,
  uy: number,
  count: number,
  gain: number,
  low: number,
  out: Float32Array,
  at: number,
): void {
  const row = width * 3;
  const unit = gain / (1 << 20);
  const [stepX, stepY] = [ux * 1024, uy * 1024];
  let [placeX, placeY] = [x * 1024, y * 1024];
  for (let u = 0; u < count; u++, placeX += stepX, placeY += stepY, at += 3) {
    const px = placeX | 0;
    const py = placeY | 0;
    const fx = px & 1023;
    const fy = py & 1023;
    const i = Math.imul(Math.imul(py >> 10, width) + (px >> 10), 3);
    // Two reads for the six bytes of two neighbours: reading is what takes the time.
    const p = bytes.getInt32(i, true);
    const q = bytes.getUint16(i + 4, true);
    const r = bytes.getInt32(i + row, true);
    const s = bytes.getUint16(i + row + 4, true);
    const w11 = Math.imul(fx, fy);
    const w01 = (fx << 10) - w11;
    const w10 = (fy << 10) - w11;
    const w00 = (1 << 20) - w01 - w10 - w11;
    out[at] = ((Math.imul(p & 255, w00) + Math.imul(p >>> 24, w01)) + (Math.imul(r & 255, w10) + Math.imul(r >>> 24, w11)) | 0) * unit + low; // prettier-ignore
    out[at + 1] = ((Math.imul((p >> 8) & 255, w00) + Math.imul(q & 255, w01)) + (Math.imul((r >> 8) & 255, w10) + Math.imul(s & 255, w11)) | 0) * unit + low; // prettier-ignore
    out[at + 2] = ((Math.imul((p >> 16) & 255, w00) + Math.imul(q >> 8, w01)) + (Math.imul((r >> 16) & 255, w10) + Math.imul(s >> 8, w11)) | 0) * unit + low; // prettier-ignore
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
