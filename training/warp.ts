import { Target, type Surface } from './scene/rasterise.js';

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

const AFAR_PX = 1e5;

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
  readonly triangles: Uint32Array;
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
  const { width, height, pixels } = picture;
  const target = new Target(width, height);
  target.color.set(pixels);
  const white = new Float32Array(to.length).fill(1);
  const image = { width, height, data: new Float32Array(pixels) };
  // Places have a pixel's centre at +0.5, a texture at integers.
  const texture = { image, uv: from.map((value) => value - 0.5) };
  const mesh = { triangles: Uint32Array.from(triangles), screen: fromAfar(to), light: white, albedo: white, texture, twoSided: true }; // prettier-ignore
  target.draw(painted ? [mesh, surfaceOf(painted)] : [mesh]);
  // Uint8Array.from would walk them through an iterator, at several times the cost of drawing.
  const drawn = new Uint8Array(target.color.length);
  for (let i = 0; i < drawn.length; i++) drawn[i] = target.color[i]! + 0.5;
  return { width, height, pixels: drawn };
}

function surfaceOf({ positions, triangles, tone }: Painted): Surface {
  const light = new Float32Array(positions.length).fill(1);
  const albedo = new Float32Array(positions.length).fill(tone);
  return { triangles, screen: fromAfar(positions), light, albedo, twoSided: true };
}

/** As a target wants it, 1 / depth: so far away that nothing looks smaller for being behind. */
const fromAfar = (points: Float32Array): Float32Array =>
  points.map((value, i) => (i % 3 === 2 ? 1 / (AFAR_PX + value) : value));

/** Triangles between two rings of as many points each, one around the other. */
export function bandBetween(inner: readonly number[], outer: readonly number[]): number[] {
  return inner.flatMap((a, i) => {
    const next = (i + 1) % inner.length;
    return [a, inner[next]!, outer[i]!, outer[i]!, inner[next]!, outer[next]!];
  });
}
