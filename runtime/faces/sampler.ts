import bilinear from './assembly/bilinear.ts?wasm';
import type { Pixels, Region } from './region.js';

/** A place to look at: a region of a picture. */
export interface Look {
  readonly picture: Pixels;
  readonly region: Region;
}

export interface Sampling {
  /** Side of the square input, an even number. */
  readonly side: number;
  /** Value of black and of white. */
  readonly range: readonly [number, number];
  /** What lies outside the picture: black, or the border's pixels repeated. */
  readonly border: 'black' | 'repeat';
}

/** What `assembly/bilinear.ts` exports, where the arguments are told. */
interface Bilinear {
  readonly prepare: (...values: number[]) => void;
  readonly sample: (...values: number[]) => void;
}

const compiled = new WebAssembly.Module(Buffer.from(bilinear, 'base64'));
const PAGE = 1 << 16;
/** Bytes of the tables of weights, which lie at the memory's start. */
const TABLES = 8192;
/** Bytes that the sampling loop touches past an end. */
const SLACK = 64;
/** Bytes of picture sampled at once at most. */
const MOST_PATCH = 1 << 24;
/** Pixels from line to line above which most rows of the picture lie between the lines. */
const SPARSE = 2;

/** Where samples lie: the first one, and the steps from sample to sample and from line to line. */
interface Lattice {
  readonly x: number;
  readonly y: number;
  readonly ux: number;
  readonly uy: number;
  readonly vx: number;
  readonly vy: number;
}

/** Samples [u, u + columns) × [v, v + lines) of a lattice. */
interface Tile {
  readonly u: number;
  readonly v: number;
  readonly columns: number;
  readonly lines: number;
}

/**
 * A model's input from regions of pictures. As in MediaPipe's own conversion nothing is averaged
 * where a region is larger than the input. The pixels that a region needs are copied beside the
 * samples, into the memory in which WebAssembly works: reading row by row is also what a frame that
 * another core wrote is read fastest by.
 */
export class Sampler {
  readonly #sampling: Sampling;
  readonly #memory = new WebAssembly.Memory({ initial: 1 });
  readonly #bilinear: Bilinear;
  #bytes = new Uint8Array(this.#memory.buffer);
  /** Address of the copied pixels; the samples lie before it, after the tables. */
  #patch = TABLES;

  constructor(sampling: Sampling) {
    this.#sampling = sampling;
    const { exports } = new WebAssembly.Instance(compiled, { env: { memory: this.#memory } });
    this.#bilinear = exports as unknown as Bilinear;
    this.#bilinear.prepare(0, gainOf(sampling));
  }

  /**
   * Bilinear samples of each look, looks × side × side × 3 (RGB), each placed to a 1024th of a
   * pixel; black for a region without a place. They are good until the next call.
   */
  sample(looks: readonly Look[]): Float32Array {
    const { side, range } = this.#sampling;
    const size = side * side * 3;
    this.#patch = TABLES + looks.length * size * Float32Array.BYTES_PER_ELEMENT + SLACK;
    this.#reserve(this.#patch);
    looks.forEach(({ picture, region }, i) => {
      const lattice = latticeOf(region, side);
      if (!Object.values(lattice).every(Number.isFinite)) {
        samplesIn(this.#memory, looks.length * size).fill(range[0], i * size, (i + 1) * size);
        return;
      }
      const level = Math.abs(lattice.uy) * side < 1;
      const lines = level && Math.abs(lattice.vy) > SPARSE ? 1 : side;
      for (let v = 0; v < side; v += lines)
        this.#tile(picture, lattice, { u: 0, v, columns: side, lines }, i * size);
    });
    return samplesIn(this.#memory, looks.length * size);
  }

  #reserve(bytes: number): void {
    const missing = bytes + SLACK - this.#bytes.length;
    if (missing <= 0) return;
    this.#memory.grow(Math.ceil(missing / PAGE));
    this.#bytes = new Uint8Array(this.#memory.buffer);
  }

  #tile(picture: Pixels, lattice: Lattice, tile: Tile, offset: number): void {
    const { side, range, border } = this.#sampling;
    const { ux, uy, vx, vy } = lattice;
    const { u, v, columns, lines } = tile;
    const [x, y] = [lattice.x + u * ux + v * vx, lattice.y + u * uy + v * vy];
    const ring = border === 'black' ? 1 : 0;
    const across = span(x, (columns - 1) * ux, (lines - 1) * vx, picture.width, ring);
    const down = span(y, (columns - 1) * uy, (lines - 1) * vy, picture.height, ring);
    const stride = (across.last - across.first + 1) * 3;
    const bytes = stride * (down.last - down.first + 1);
    if (bytes > MOST_PATCH && columns * lines > 2) {
      for (const half of halves(tile)) this.#tile(picture, lattice, half, offset);
      return;
    }
    this.#reserve(this.#patch + bytes + stride);
    this.#take(picture, across, down);
    const out = TABLES + (offset + (v * side + u) * 3) * Float32Array.BYTES_PER_ELEMENT;
    const outStride = side * 3 * Float32Array.BYTES_PER_ELEMENT;
    this.#bilinear.sample(0, this.#patch, stride, across.last - across.first, down.last - down.first, x - across.first, y - down.first, ux, uy, vx, vy, columns, lines, gainOf(this.#sampling), range[0], out, outStride, across.whole && down.whole ? 1 : 0); // prettier-ignore
  }

  /** Copies columns and rows of a picture, black where they lie outside of it. */
  #take({ width, height, pixels }: Pixels, across: Span, down: Span): void {
    const columns = across.last - across.first + 1;
    const [from, to] = [Math.max(across.first, 0), Math.min(across.last + 1, width)];
    let at = this.#patch;
    for (let row = down.first; row <= down.last; row++, at += columns * 3) {
      const inside = row >= 0 && row < height && from < to;
      if (!inside || to - from < columns) this.#bytes.fill(0, at, at + columns * 3);
      if (!inside) continue;
      const line = pixels.subarray((row * width + from) * 3, (row * width + to) * 3);
      this.#bytes.set(line, at + (from - across.first) * 3);
    }
  }
}

/** Value of one grey level. */
const gainOf = ({ range: [low, high] }: Sampling): number => (high - low) / 255;

const samplesIn = (memory: WebAssembly.Memory, count: number): Float32Array =>
  new Float32Array(memory.buffer, TABLES, count);

/**
 * The region's corner falls on the first sample, a pixel's index is its place: the convention of
 * MediaPipe's CPU path, by which the models' outputs are read.
 */
function latticeOf(region: Region, side: number): Lattice {
  const [cos, sin] = [Math.cos(region.rotation), Math.sin(region.rotation)];
  const [stepX, stepY] = [region.width / side, region.height / side];
  const [ux, uy] = [stepX * cos, stepX * sin];
  const [vx, vy] = [-stepY * sin, stepY * cos];
  const middle = side / 2;
  return { x: region.x - middle * (ux + vx), y: region.y - middle * (uy + vy), ux, uy, vx, vy };
}

/** Pixel indices along one axis. */
interface Span {
  readonly first: number;
  readonly last: number;
  /** Holds all that was asked for. */
  readonly whole: boolean;
}

/** What samples between `start` and `start + a + b` need, within the picture and a ring around it. */
function span(start: number, a: number, b: number, length: number, ring: number): Span {
  const low = Math.floor(start + Math.min(a, 0) + Math.min(b, 0));
  const high = Math.floor(start + Math.max(a, 0) + Math.max(b, 0)) + 1;
  const clip = (index: number): number => Math.max(-ring, Math.min(length - 1 + ring, index));
  const [first, last] = [clip(low), clip(high)];
  return { first, last, whole: first === low && last === high };
}

/** In the order of their samples: a sample spills onto the one that is written after it. */
function halves({ u, v, columns, lines }: Tile): Tile[] {
  if (lines === 1) {
    const half = (columns >> 2) << 1;
    return [{ u, v, columns: half, lines }, { u: u + half, v, columns: columns - half, lines }];
  }
  const half = lines >> 1;
  return [{ u, v, columns, lines: half }, { u, v: v + half, columns, lines: lines - half }];
} // prettier-ignore
