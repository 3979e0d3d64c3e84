import type { Random } from './random.js';
import { sample, type Target, type Texture } from './rasterise.js';

const GRID = 24;

/** Fills a target of even size with something that is out of focus: a gradient, blocks, spots of light. */
export function fillBackdrop(target: Target, random: Random): void {
  const image = paintBackdrop(random);
  const rgb = new Float32Array(3);
  const { width, height, color } = target;
  // Out of focus: one sample of the picture in four is enough.
  for (let y = 0; y < height; y += 2) {
    const v = ((y + 1) / height) * (GRID - 1);
    for (let x = 0; x < width; x += 2) {
      sample(image, ((x + 1) / width) * (GRID - 1), v, rgb);
      const at = 3 * (y * width + x);
      const [r, g, b] = rgb as unknown as [number, number, number];
      color[at] = color[at + 3] = r;
      color[at + 1] = color[at + 4] = g;
      color[at + 2] = color[at + 5] = b;
    }
    const row = 3 * y * width;
    color.copyWithin(row + 3 * width, row, row + 3 * width);
  }
}

function paintBackdrop(random: Random): Texture {
  const data = new Float32Array(GRID * GRID * 3);
  const tone = (): number[] => {
    const value = Math.exp(random.uniform(-3.2, -0.2));
    return [0, 1, 2].map(() => value * Math.exp(0.25 * random.normal()));
  };
  const [from, to] = [tone(), tone()];
  const lean = random.uniform(-1, 1);
  for (let y = 0; y < GRID; y++) {
    for (let x = 0; x < GRID; x++) {
      const t = Math.min(1, Math.max(0, 0.5 + (y - GRID / 2 + lean * (x - GRID / 2)) / GRID));
      for (let k = 0; k < 3; k++) data[3 * (y * GRID + x) + k] = from[k]! + t * (to[k]! - from[k]!);
    }
  }
  for (let blocks = Math.floor(random.next() * 9); blocks > 0; blocks--) {
    const color = tone();
    const [x0, y0] = [random.uniform(-4, GRID), random.uniform(-4, GRID)];
    const [w, h] = [random.uniform(1, 12), random.uniform(1, 16)];
    for (let y = Math.max(0, Math.ceil(y0)); y < Math.min(GRID, y0 + h); y++) {
      for (let x = Math.max(0, Math.ceil(x0)); x < Math.min(GRID, x0 + w); x++) {
        data.set(color, 3 * (y * GRID + x));
      }
    }
  }
  return { width: GRID, height: GRID, data };
}
