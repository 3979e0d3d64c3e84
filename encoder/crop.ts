/**
 * The encoder's input: a square grey picture of the face, turned upright, at one scale. Training
 * and runtime cut it with this code, so that the network sees the same pixels in both.
 */

/** Shape of the crop. All lengths are crop pixels. */
export interface CropSpec {
  /** Side of the square, 1024 at most. */
  readonly size: number;
  /** Distance between the eyes' centres of an average frontal face. */
  readonly eyeDistancePx: number;
  /** Height of the eyes, from the upper border. */
  readonly eyeLinePx: number;
}

/** From the hair line to the chin of an average face; brows and an open mouth stay inside. */
export const DEFAULT_CROP: CropSpec = { size: 64, eyeDistancePx: 24, eyeLinePx: 21 };

interface Anchor {
  /** Index into the 468- or 478-point mesh. */
  readonly index: number;
  /** Place on an average frontal face, in eye distances right of and below the eyes' middle. */
  readonly x: number;
  readonly y: number;
  readonly weight: number;
}

/**
 * Proportions of MediaPipe's canonical face model. The mouth corners move with the expression,
 * hence their half weight.
 */
const ANCHORS: readonly Anchor[] = [
  { index: 33, x: -0.7054, y: -0.0062, weight: 1 },
  { index: 133, x: -0.2946, y: 0.0062, weight: 1 },
  { index: 362, x: 0.2946, y: 0.0062, weight: 1 },
  { index: 263, x: 0.7054, y: -0.0062, weight: 1 },
  { index: 2, x: 0, y: 0.7479, weight: 1 },
  { index: 61, x: -0.3897, y: 1.1055, weight: 0.5 },
  { index: 291, x: 0.3897, y: 1.1055, weight: 0.5 },
];
const TOTAL_WEIGHT = ANCHORS.reduce((sum, { weight }) => sum + weight, 0);

/** Samples a side of a crop pixel at most: keeps a face that fills a 4K frame affordable. */
const MOST_TAPS = 8;

/**
 * Similarity from the picture to the crop: u = a·x − b·y + tx, v = b·x + a·y + ty, in continuous
 * coordinates (a pixel's centre lies at +0.5).
 */
export interface CropTransform {
  a: number;
  b: number;
  tx: number;
  ty: number;
}

/**
 * The similarity that takes the eye corners, nose base and mouth corners nearest (weighted least
 * squares, closed form after Umeyama 1991) to their places in the crop. Writes into `out`. Zero
 * scale where all points coincide.
 * @param landmarks N × 3 picture pixels of the 468- or 478-point mesh.
 */
export function fitCrop(
  landmarks: Float32Array,
  spec: CropSpec,
  out: CropTransform = { a: 0, b: 0, tx: 0, ty: 0 },
): CropTransform {
  let [mx, my, mu, mv] = [0, 0, 0, 0];
  for (const { index, x, y, weight } of ANCHORS) {
    mx += weight * landmarks[index * 3]!;
    my += weight * landmarks[index * 3 + 1]!;
    mu += weight * x;
    mv += weight * y;
  }
  mx /= TOTAL_WEIGHT;
  my /= TOTAL_WEIGHT;
  mu /= TOTAL_WEIGHT;
  mv /= TOTAL_WEIGHT;
  let [along, across, spread] = [0, 0, 0];
  for (const { index, x, y, weight } of ANCHORS) {
    const px = landmarks[index * 3]! - mx;
    const py = landmarks[index * 3 + 1]! - my;
    along += weight * (px * (x - mu) + py * (y - mv));
    across += weight * (px * (y - mv) - py * (x - mu));
    spread += weight * (px * px + py * py);
  }
  const scale = spread > 0 ? spec.eyeDistancePx / spread : 0;
  out.a = scale * along;
  out.b = scale * across;
  out.tx = spec.size / 2 + mu * spec.eyeDistancePx - (out.a * mx - out.b * my);
  out.ty = spec.eyeLinePx + mv * spec.eyeDistancePx - (out.b * mx + out.a * my);
  return out;
}

const scratch: CropTransform = { a: 0, b: 0, tx: 0, ty: 0 };

/**
 * Cuts the aligned grey crop (BT.601 luma) of one face into `out`, sub-pixel. Where the picture is
 * finer than the crop, each crop pixel averages its own footprint, so that nothing aliases. Outside
 * the picture the border's pixels repeat. Allocates nothing.
 * @param pixels RGB24, row-major.
 * @param landmarks N × 3 picture pixels of the 468- or 478-point mesh.
 * @param out size × size bytes.
 */
export function alignedCrop(
  pixels: Uint8Array,
  width: number,
  height: number,
  landmarks: Float32Array,
  spec: CropSpec,
  out: Uint8Array,
): void {
  const { a, b, tx, ty } = fitCrop(landmarks, spec, scratch);
  const square = a * a + b * b;
  if (!(square > 0)) {
    out.fill(0);
    return;
  }
  // Inverse similarity: steps in the picture for one crop pixel right (ix, iy) and down (−iy, ix).
  const ix = a / square;
  const iy = -b / square;
  const taps = Math.min(MOST_TAPS, Math.max(1, Math.ceil(Math.hypot(ix, iy) - 0.01)));
  const { size } = spec;
  const [stepX, stepY] = [ix / taps, iy / taps];
  const share = 1 / (taps * taps);
  for (let v = 0; v < size; v++) {
    sums.fill(0, 0, size);
    for (let j = 0; j < taps; j++) {
      const dv = v + (j + 0.5) / taps - ty;
      const du = 0.5 / taps - tx;
      let x = ix * du - iy * dv - 0.5;
      let y = iy * du + ix * dv - 0.5;
      for (let u = 0; u < size; u++) {
        let sum = 0;
        for (let i = 0; i < taps; i++, x += stepX, y += stepY)
          sum += grey(pixels, width, height, x, y);
        sums[u]! += sum;
      }
    }
    for (let u = 0; u < size; u++) out[v * size + u] = sums[u]! * share + 0.5;
  }
}

/** One line of the crop; larger crops than this are not made. */
const sums = new Float64Array(1024);

/** Bilinear luma at a place given in pixel indices; the border repeats. */
function grey(pixels: Uint8Array, width: number, height: number, x: number, y: number): number {
  const cx = x < 0 ? 0 : x > width - 1 ? width - 1 : x;
  const cy = y < 0 ? 0 : y > height - 1 ? height - 1 : y;
  const x0 = cx | 0;
  const y0 = cy | 0;
  const fx = cx - x0;
  const fy = cy - y0;
  const i = (y0 * width + x0) * 3;
  const right = x0 + 1 < width ? i + 3 : i;
  const below = y0 + 1 < height ? width * 3 : 0;
  const w11 = fx * fy;
  const w01 = fx - w11;
  const w10 = fy - w11;
  const w00 = 1 - fx - w10;
  const red = w00 * pixels[i]! + w01 * pixels[right]! + w10 * pixels[i + below]! + w11 * pixels[right + below]!; // prettier-ignore
  const green = w00 * pixels[i + 1]! + w01 * pixels[right + 1]! + w10 * pixels[i + below + 1]! + w11 * pixels[right + below + 1]!; // prettier-ignore
  const blue = w00 * pixels[i + 2]! + w01 * pixels[right + 2]! + w10 * pixels[i + below + 2]! + w11 * pixels[right + below + 2]!; // prettier-ignore
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}
