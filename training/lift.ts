import type { CropSpec } from '../encoder/crop.js';

/** 468 places in crop pixels, x and y by turns. */
export type CropPoints = Float32Array;

/** Reach of a point's displacement, eye distances; far from all points nothing moves. */
const REACH = 0.104;
const STILLNESS = 0.02;
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

/**
 * Another expression on a real face: its crop is warped so that every landmark moves by its own
 * movement; lips that part show a dark mouth and what they bare of the upper teeth. The skin, the
 * light and the camera stay those of the picture.
 * @param crop grey bytes of a neutral face, cut as `spec` says. @param points its landmarks.
 * @param moves what each landmark moves by, crop pixels.
 * @param teethPx how far the upper teeth reach below the upper lip.
 */
export function warpExpression(
  crop: Uint8Array,
  { size, eyeDistancePx }: CropSpec,
  points: CropPoints,
  moves: CropPoints,
  teethPx = 0,
): Uint8Array {
  const moved = points.map((value, i) => value + moves[i]!);
  const field = displacementField(size, REACH * eyeDistancePx, moved, moves);
  const out = new Uint8Array(size * size);
  const last = size - 1.001;
  for (let at = 0; at < size * size; at++) {
    const x = Math.min(last, Math.max(0, (at % size) - field[2 * at]!));
    const y = Math.min(last, Math.max(0, Math.floor(at / size) - field[2 * at + 1]!));
    const from = Math.floor(y) * size + Math.floor(x);
    const [fx, fy] = [x % 1, y % 1];
    const top = crop[from]! * (1 - fx) + crop[from + 1]! * fx;
    const bottom = crop[from + size]! * (1 - fx) + crop[from + size + 1]! * fx;
    out[at] = top * (1 - fy) + bottom * fy + 0.5;
  }
  const gap = moved[2 * LOWER_LIP + 1]! - moved[2 * UPPER_LIP + 1]!;
  if (gap >= OPEN * eyeDistancePx) openMouth(out, size, moved, teethPx);
  return out;
}

/** Displacement a pixel: mean of the points' own, weighted by nearness (Nadaraya–Watson). */
function displacementField(
  size: number,
  reachPx: number,
  moved: CropPoints,
  moves: CropPoints,
): Float32Array {
  const weights = new Float32Array(size * size).fill(STILLNESS);
  const field = new Float32Array(size * size * 2);
  const radius = Math.ceil(3 * reachPx);
  for (let p = 0; p < moved.length; p += 2) {
    const [px, py] = [moved[p]! - 0.5, moved[p + 1]! - 0.5];
    for (let y = Math.max(0, Math.ceil(py - radius)); y <= Math.min(size - 1, py + radius); y++) {
      for (let x = Math.max(0, Math.ceil(px - radius)); x <= Math.min(size - 1, px + radius); x++) {
        const weight = Math.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * reachPx ** 2));
        const at = y * size + x;
        weights[at]! += weight;
        field[2 * at]! += weight * moves[p]!;
        field[2 * at + 1]! += weight * moves[p + 1]!;
      }
    }
  }
  weights.forEach((weight, at) => {
    field[2 * at]! /= weight;
    field[2 * at + 1]! /= weight;
  });
  return field;
}

function openMouth(pixels: Uint8Array, size: number, points: CropPoints, teethPx: number): void {
  const at = (index: number): Point => [points[2 * index]!, points[2 * index + 1]!];
  const [ring, upper] = [INNER_LIPS.map(at), ALONG_UPPER_LIP.map(at)];
  const lips = brightnessOf(pixels, size, ring);
  const [left, right] = reachOf(ring.map(([x]) => x), size); // prettier-ignore
  const [top, bottom] = reachOf(ring.map(([, y]) => y), size); // prettier-ignore
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
      const pixel = y * size + x;
      const bare = 1 - covered / SAMPLES ** 2;
      pixels[pixel] = Math.min(255, bare * pixels[pixel]! + (light / SAMPLES ** 2) * lips);
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
function brightnessOf(pixels: Uint8Array, size: number, ring: readonly Point[]): number {
  const around = ring.map(([x, y]) => pixels[pixelAt(y, size) * size + pixelAt(x, size)]!);
  return around.reduce((sum, value) => sum + value, 0) / around.length;
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
