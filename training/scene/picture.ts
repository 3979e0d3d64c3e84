import sharp from 'sharp';
import { linearToSrgb } from './color.js';
import type { Random } from './random.js';
import type { Target } from './rasterise.js';

/** What a camera does to light. */
export interface Sensor {
  /** Factor on the light before clipping. */
  readonly exposure: number;
  /** Linear gain a channel: white balance. */
  readonly balance: readonly [number, number, number];
  /** Standard deviation of the lens' and the motion's blur, pixels. */
  readonly blurPx: number;
  /** Standard deviation of the noise, in 255ths. */
  readonly noise: number;
  /** 30–95; no JPEG where absent. */
  readonly jpegQuality?: number;
}

export function randomSensor(random: Random): Sensor {
  const warm = random.uniform(-0.12, 0.12);
  return {
    exposure: Math.exp(random.uniform(-0.35, 0.35)),
    balance: [1 + warm, 1, 1 - warm],
    blurPx: Math.max(0, random.uniform(-0.4, 1.3)),
    noise: random.uniform(0, 3.8),
    jpegQuality: Math.round(random.uniform(30, 95)),
  };
}

/** Samples to an RGB24 picture: box filter, exposure, sRGB, noise. */
export function develop(
  target: Target,
  samplesPerPixel: number,
  sensor: Sensor,
  random: Random,
): Uint8Array {
  const s = samplesPerPixel;
  const { color } = target;
  const width = target.width / s;
  const height = target.height / s;
  const pixels = new Uint8Array(width * height * 3);
  const gains = sensor.balance.map((gain) => (gain * sensor.exposure) / (s * s));
  const noise = noiseTable(random, sensor.noise);
  let n = Math.floor(random.next() * noise.length);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let k = 0; k < 3; k++, at++) {
        let sum = 0;
        for (let j = 0; j < s; j++) {
          const row = 3 * ((y * s + j) * target.width + x * s) + k;
          for (let i = 0; i < s; i++) sum += color[row + 3 * i]!;
        }
        n = (n + 1) & (noise.length - 1);
        const value = linearToSrgb(shoulder(sum * gains[k]!)) + noise[n]!;
        pixels[at] = value < 0 ? 0 : value > 255 ? 255 : value + 0.5;
      }
      if ((x & 63) === 0) n = (n + Math.floor(random.next() * 4096)) & (noise.length - 1);
    }
  }
  return pixels;
}

/** Bright parts bend towards white instead of clipping at once. */
function shoulder(value: number): number {
  return value < 0.7 ? value : 0.7 + 0.3 * (1 - Math.exp(-(value - 0.7) / 0.3));
}

function noiseTable(random: Random, deviation: number): Float32Array {
  return Float32Array.from({ length: 16_384 }, () => deviation * random.normal());
}

/** Blur and JPEG, as RGB24 again. */
export async function degrade(
  pixels: Uint8Array,
  width: number,
  height: number,
  sensor: Sensor,
): Promise<Uint8Array> {
  if (sensor.blurPx < 0.3 && sensor.jpegQuality === undefined) return pixels;
  const bytes = await encode(pixels, width, height, sensor);
  return sensor.jpegQuality === undefined
    ? bytes
    : new Uint8Array(await sharp(bytes).raw().toBuffer());
}

/** The picture as JPEG bytes (or raw RGB24 where the sensor names no quality), blurred first. */
export async function encode(
  pixels: Uint8Array,
  width: number,
  height: number,
  { blurPx, jpegQuality }: Sensor,
): Promise<Uint8Array> {
  let image = sharp(pixels, { raw: { width, height, channels: 3 } });
  if (blurPx >= 0.3) image = image.blur(blurPx);
  if (jpegQuality === undefined) return new Uint8Array(await image.raw().toBuffer());
  return new Uint8Array(await image.jpeg({ quality: jpegQuality }).toBuffer());
}
