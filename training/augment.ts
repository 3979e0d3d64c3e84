import { DEFAULT_CROP, fitCrop, meshInCrop } from '../encoder/crop.js';
import type { Random } from '../encoder/random.js';
import type { AugmentationRecipe } from './recipe.js';

/** From a place in one crop to one in another: (x, y) → (xx·x + xy·y + x0, yx·x + yy·y + y0). */
interface Affine {
  readonly xx: number;
  readonly xy: number;
  readonly x0: number;
  readonly yx: number;
  readonly yy: number;
  readonly y0: number;
}

/** A face made taller or shorter than it is wide. */
export interface StretchedFace {
  /** N × 3, in pixels of the crop before. */
  readonly landmarks: Float32Array;
  /** From the crop that is cut of it to that of the face as it was. */
  readonly toCrop: Affine;
}

/** Changes of one crop, drawn once. */
export interface Augmenter {
  /**
   * Some faces are wider than others, some cameras show them so, and nobody should look angry for it.
   * @returns undefined where the recipe asks for none.
   */
  stretch(landmarks: Float32Array, random: Random): StretchedFace | undefined;
  /**
   * @param crop size² grey bytes. @param out size² grey bytes, another array.
   * @param stretched the face of the crop, stretched.
   * @returns whether the crop was mirrored; then its yaw and roll change sign.
   */
  apply(crop: Uint8Array, out: Uint8Array, random: Random, stretched?: StretchedFace): boolean;
  /** After normalisation: puts zeros, the mean, into a rectangle. */
  erase(normalized: Float32Array, random: Random): void;
  /** Adds noise to standardised landmark features, or takes them away. */
  disturb(geometry: Float32Array, random: Random): void;
}

export function createAugmenter(size: number, recipe: AugmentationRecipe): Augmenter {
  const scratch = new Float32Array(size * size);
  const curve = new Float32Array(256);
  return {
    stretch: (landmarks, random) =>
      recipe.stretch === 0
        ? undefined
        : stretchedFace(landmarks, (1 + recipe.stretch) ** random.between(-1, 1)),
    apply: (crop, out, random, stretched) => {
      const mirrored = recipe.flip && random.uniform() < 0.5;
      resample(
        crop,
        scratch,
        size,
        similarity(recipe, random),
        stretched?.toCrop ?? UNCHANGED,
        mirrored,
      );
      if (random.uniform() < recipe.blur) {
        const passes = 1 + random.integer(recipe.blurPasses);
        for (let i = 0; i < passes; i++) blur(scratch, size);
      }
      light(scratch, size, curve, recipe, random);
      const noise = random.uniform() < 0.5 ? random.between(0, recipe.noise) : 0;
      for (let i = 0; i < scratch.length; i++) {
        const value = scratch[i]! + (noise > 0 ? noise * roughNormal(random) : 0);
        out[i] = Math.min(255, Math.max(0, value + 0.5));
      }
      return mirrored;
    },
    disturb: (geometry, random) => {
      const gone = random.uniform() < recipe.geometryDrop;
      for (let i = 0; i < geometry.length; i++) {
        geometry[i] = gone ? 0 : geometry[i]! + recipe.geometryNoise * roughNormal(random);
      }
    },
    erase: (normalized, random) => {
      if (random.uniform() >= recipe.erase) return;
      const [width, height] = [random.between(0.1, 0.4) * size, random.between(0.1, 0.4) * size];
      const [left, top] = [random.between(0, size - width), random.between(0, size - height)];
      for (let y = Math.floor(top); y < top + height; y++) {
        normalized.fill(0, y * size + Math.floor(left), y * size + Math.ceil(left + width));
      }
    },
  };
}

const UNCHANGED: Affine = { xx: 1, xy: 0, x0: 0, yx: 0, yy: 1, y0: 0 };

/** @param tall height over width, of what it was. */
function stretchedFace(given: Float32Array, tall: number): StretchedFace {
  const landmarks = meshInCrop(given, DEFAULT_CROP);
  for (let i = 1; i < landmarks.length; i += 3) landmarks[i]! *= tall;
  const { a, b, tx, ty } = fitCrop(landmarks, DEFAULT_CROP);
  const n = a * a + b * b;
  const [xx, xy, yx, yy] = [a / n, b / n, -b / n / tall, a / n / tall];
  return { landmarks, toCrop: { xx, xy, x0: -xx * tx - xy * ty, yx, yy, y0: -yx * tx - yy * ty } };
}

interface Similarity {
  readonly cos: number;
  readonly sin: number;
  readonly dx: number;
  readonly dy: number;
}

function similarity({ rotateDeg, scale, shiftPx }: AugmentationRecipe, random: Random): Similarity {
  const angle = (random.between(-rotateDeg, rotateDeg) * Math.PI) / 180;
  const zoom = 1 + random.between(-scale, scale);
  return {
    cos: Math.cos(angle) / zoom,
    sin: Math.sin(angle) / zoom,
    dx: random.between(-shiftPx, shiftPx),
    dy: random.between(-shiftPx, shiftPx),
  };
}

/** Bilinear, about the centre; the border's pixels repeat. */
function resample(
  crop: Uint8Array,
  out: Float32Array,
  size: number,
  { cos, sin, dx, dy }: Similarity,
  { xx, xy, x0: left, yx, yy, y0: above }: Affine,
  mirrored: boolean,
): void {
  const middle = (size - 1) / 2;
  const last = size - 1;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const [u, v] = [(mirrored ? last - x : x) - middle - dx, y - middle - dy];
      // Places of a crop have a pixel's centre at +0.5.
      const [px, py] = [cos * u - sin * v + middle + 0.5, sin * u + cos * v + middle + 0.5];
      const sx = Math.min(last, Math.max(0, xx * px + xy * py + left - 0.5));
      const sy = Math.min(last, Math.max(0, yx * px + yy * py + above - 0.5));
      const [x0, y0] = [sx | 0, sy | 0];
      const [fx, fy] = [sx - x0, sy - y0];
      const at = y0 * size + x0;
      const [right, down] = [x0 < last ? 1 : 0, y0 < last ? size : 0];
      const top = crop[at]! * (1 - fx) + crop[at + right]! * fx;
      const bottom = crop[at + down]! * (1 - fx) + crop[at + down + right]! * fx;
      out[y * size + x] = top * (1 - fy) + bottom * fy;
    }
  }
}

/** A power curve, then a ramp of light across the crop in any direction. */
function light(
  pixels: Float32Array,
  size: number,
  curve: Float32Array,
  { gamma, ramp }: AugmentationRecipe,
  random: Random,
): void {
  const power = gamma ** random.between(-1, 1);
  for (let i = 0; i < 256; i++) curve[i] = 255 * (i / 255) ** power;
  const [direction, strength] = [random.between(0, 2 * Math.PI), random.between(0, ramp)];
  const [gx, gy] = [
    (2 * strength * Math.cos(direction)) / size,
    (2 * strength * Math.sin(direction)) / size,
  ];
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const at = y * size + x;
      const gain = 1 + gx * (x - size / 2) + gy * (y - size / 2);
      pixels[at] = curve[Math.min(255, pixels[at]! | 0)]! * gain;
    }
  }
}

/** 1-2-1 along rows, then along columns. */
function blur(pixels: Float32Array, size: number): void {
  for (const [step, line] of [
    [1, size],
    [size, 1],
  ] as const) {
    // prettier-ignore
    for (let l = 0; l < size; l++) {
      let before = pixels[l * line]!;
      for (let i = 1; i < size - 1; i++) {
        const at = l * line + i * step;
        const own = pixels[at]!;
        pixels[at] = (before + 2 * own + pixels[at + step]!) / 4;
        before = own;
      }
    }
  }
}

/** Sum of four uniforms, scaled: near enough to normal for pixel noise, and quick. */
function roughNormal(random: Random): number {
  return (
    (random.uniform() + random.uniform() + random.uniform() + random.uniform() - 2) * Math.sqrt(3)
  );
}
