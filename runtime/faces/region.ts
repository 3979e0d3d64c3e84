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
