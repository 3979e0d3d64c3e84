import { bandBetween, FACE_OVAL, warpPicture, type RgbPicture } from './warp.js';

const POINTS = 468;
/** So many times as far out as the mesh's border nothing moves, and what lies between is stretched. */
const STILL = 1.6;
const STILL_RING = FACE_OVAL.map((_, i) => POINTS + i);
/** Lips this far apart, in eye distances, show the inside of the mouth. */
const OPEN = 0.05;
/** Brightness of what it shows, of the lips'. */
const [CAVITY, TEETH] = [0.35, 1.5];
/** Samples a pixel and axis: the lips' border is as soft as a camera makes it. */
const SAMPLES = 4;

/** The inner border of the lips, in order around: along the upper lip, back along the lower. */
const INNER_LIPS = [
  78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
];
const ALONG_UPPER_LIP = INNER_LIPS.slice(0, 11);
const [UPPER_LIP, LOWER_LIP] = [13, 14];

export interface WarpOptions {
  readonly eyeDistancePx: number;
  /** How far the upper teeth reach below the upper lip. */
  readonly teethPx: number;
}

/**
 * Another expression on a real face: the measured mesh carries the picture's pixels to where its points
 * have moved; lips that part show a dark mouth and what they bare of the upper teeth. The skin, the light
 * and the camera stay those of the picture.
 * @param own and @param moved 468 × 3 picture pixels, depth in the same scale.
 * @param triangles three indices each.
 */
export function warpExpression(
  picture: RgbPicture,
  own: Float32Array,
  moved: Float32Array,
  triangles: readonly number[],
  { eyeDistancePx, teethPx }: WarpOptions,
): RgbPicture {
  const still = stillRing(own);
  const from = [...own, ...still].filter((_, i) => i % 3 !== 2);
  const vertices = { from: Float32Array.from(from), to: Float32Array.from([...moved, ...still]) };
  const all = [...triangles, ...bandBetween(FACE_OVAL, STILL_RING)];
  const warped = warpPicture(picture, vertices, all);
  const gap = moved[3 * LOWER_LIP + 1]! - moved[3 * UPPER_LIP + 1]!;
  if (gap >= OPEN * eyeDistancePx) openMouth(warped, moved, teethPx);
  return warped;
}

/** Around the mesh, behind all of it. */
function stillRing(own: Float32Array): number[] {
  const [x, y] = [0, 1].map(
    (k) => FACE_OVAL.reduce((sum, i) => sum + own[3 * i + k]!, 0) / FACE_OVAL.length,
  ) as [number, number];
  const behind = own.reduce((far, value, i) => (i % 3 === 2 ? Math.max(far, value) : far), 0);
  return FACE_OVAL.flatMap((i) => [
    x + STILL * (own[3 * i]! - x),
    y + STILL * (own[3 * i + 1]! - y),
    behind + 1,
  ]);
}

function openMouth(picture: RgbPicture, mesh: Float32Array, teethPx: number): void {
  const { width, height, pixels } = picture;
  const at = (index: number): Point => [mesh[3 * index]!, mesh[3 * index + 1]!];
  const [ring, upper] = [INNER_LIPS.map(at), ALONG_UPPER_LIP.map(at)];
  const lips = colourOf(picture, ring);
  const [left, right] = reachOf(ring.map(([x]) => x), width); // prettier-ignore
  const [top, bottom] = reachOf(ring.map(([, y]) => y), height); // prettier-ignore
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      let [covered, light] = [0, 0];
      for (let s = 0; s < SAMPLES ** 2; s++) {
        const px = x + ((s % SAMPLES) + 0.5) / SAMPLES;
        const py = y + (Math.floor(s / SAMPLES) + 0.5) / SAMPLES;
        if (!inside(ring, px, py)) continue;
        covered++;
        light += py - heightAt(upper, px) < teethPx ? TEETH : CAVITY;
      }
      const bare = 1 - covered / SAMPLES ** 2;
      for (let k = 0; k < 3; k++) {
        const i = 3 * (y * width + x) + k;
        pixels[i] = Math.min(255, bare * pixels[i]! + (light / SAMPLES ** 2) * lips[k]!);
      }
    }
  }
}

type Point = readonly [x: number, y: number];

const pixelAt = (place: number, size: number): number =>
  Math.min(size - 1, Math.max(0, Math.floor(place)));

/** First and last pixel. */
const reachOf = (places: readonly number[], size: number): [first: number, last: number] => [
  pixelAt(Math.min(...places), size),
  pixelAt(Math.max(...places), size),
];

/** Mean of the pixels at the lips' border. */
function colourOf({ width, height, pixels }: RgbPicture, ring: readonly Point[]): number[] {
  const around = ring.map(([x, y]) => pixelAt(y, height) * width + pixelAt(x, width));
  return [0, 1, 2].map(
    (k) => around.reduce((sum, at) => sum + pixels[3 * at + k]!, 0) / ring.length,
  );
}

/** Of a line from left to right, between its points. */
function heightAt(line: readonly Point[], x: number): number {
  const next = line.findIndex(([px]) => px >= x);
  const [bx, by] = line.at(next)!;
  if (next <= 0) return by;
  const [ax, ay] = line[next - 1]!;
  return ay + ((x - ax) / (bx - ax)) * (by - ay);
}

/** Even–odd rule. */
function inside(ring: readonly Point[], x: number, y: number): boolean {
  let within = false;
  ring.forEach(([ax, ay], i) => {
    const [bx, by] = ring[(i + 1) % ring.length]!;
    if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) within = !within;
  });
  return within;
}
