/** 468 places in crop pixels, x and y by turns. */
export type CropPoints = Float32Array;

/** Reach of a point's displacement, crop pixels; far from all points nothing moves. */
const REACH_PX = 2.5;
const STILLNESS = 0.02;
/** Lips this far apart show the inside of the mouth. */
const OPEN_PX = 1.2;
const CAVITY = 0.35;

/** The inner border of the lips, in order around. */
const INNER_LIPS = [
  78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
];

/**
 * Another expression on a real face: its crop is warped so that every landmark moves as it moved on
 * a rendered face between neutral and that expression; lips that part show a dark mouth. The skin,
 * the light and the camera stay those of the picture.
 * @param crop size² grey bytes of a neutral face. @param points its landmarks.
 * @param moves what each landmark moves by. @param strength 1 for the whole movement.
 */
export function warpExpression(
  crop: Uint8Array,
  size: number,
  points: CropPoints,
  moves: CropPoints,
  strength: number,
): Uint8Array {
  const moved = points.map((value, i) => value + strength * moves[i]!);
  const field = displacementField(size, moved, moves, strength);
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
  openMouth(out, size, moved);
  return out;
}

/** Displacement a pixel: mean of the points' own, weighted by nearness (Nadaraya–Watson). */
function displacementField(
  size: number,
  moved: CropPoints,
  moves: CropPoints,
  strength: number,
): Float32Array {
  const weights = new Float32Array(size * size).fill(STILLNESS);
  const field = new Float32Array(size * size * 2);
  const radius = Math.ceil(3 * REACH_PX);
  for (let p = 0; p < moved.length; p += 2) {
    const [px, py] = [moved[p]! - 0.5, moved[p + 1]! - 0.5];
    for (let y = Math.max(0, Math.ceil(py - radius)); y <= Math.min(size - 1, py + radius); y++) {
      for (let x = Math.max(0, Math.ceil(px - radius)); x <= Math.min(size - 1, px + radius); x++) {
        const weight = Math.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * REACH_PX ** 2));
        const at = y * size + x;
        weights[at]! += weight;
        field[2 * at]! += weight * strength * moves[p]!;
        field[2 * at + 1]! += weight * strength * moves[p + 1]!;
      }
    }
  }
  weights.forEach((weight, at) => {
    field[2 * at]! /= weight;
    field[2 * at + 1]! /= weight;
  });
  return field;
}

function openMouth(pixels: Uint8Array, size: number, points: CropPoints): void {
  const gap = points[2 * 14 + 1]! - points[2 * 13 + 1]!;
  if (gap < OPEN_PX) return;
  const ring = INNER_LIPS.map((index) => [points[2 * index]!, points[2 * index + 1]!] as const);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      if (inside(ring, x + 0.5, y + 0.5)) pixels[y * size + x]! *= CAVITY;
    }
  }
}

/** Even–odd rule. */
function inside(ring: readonly (readonly [number, number])[], x: number, y: number): boolean {
  let within = false;
  ring.forEach(([ax, ay], i) => {
    const [bx, by] = ring[(i + 1) % ring.length]!;
    if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) within = !within;
  });
  return within;
}
