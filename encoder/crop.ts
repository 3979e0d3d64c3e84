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
/** Pixels between samples: each reaches a pixel far, so that every pixel still counts. */
const MOST_APART = 1.25;

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

/** Landmarks in pixels of the crop that fitCrop cuts, depth in the same scale. N × 3, as given. */
export function meshInCrop(landmarks: Float32Array, spec: CropSpec): Float32Array {
  const { a, b, tx, ty } = fitCrop(landmarks, spec);
  const out = new Float32Array(landmarks.length);
  const scale = Math.hypot(a, b);
  for (let i = 0; i < out.length; i += 3) {
    const [x, y] = [landmarks[i]!, landmarks[i + 1]!];
    out[i] = a * x - b * y + tx;
    out[i + 1] = b * x + a * y + ty;
    out[i + 2] = scale * landmarks[i + 2]!;
  }
  return out;
}

const scratch: CropTransform = { a: 0, b: 0, tx: 0, ty: 0 };

/**
 * Cuts the aligned grey crop (BT.601 luma) of one face into `out`, sub-pixel. Where the picture is
 * finer than the crop, each crop pixel averages its own footprint, so that nothing aliases. Outside
 * the picture the border's pixels repeat. Allocates nothing once it
 * has seen its largest face.
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
  const taps = Math.min(MOST_TAPS, Math.max(1, Math.ceil(Math.hypot(ix, iy) / MOST_APART)));
  const { size } = spec;
  const [stepX, stepY] = [ix / taps, iy / taps];
  const share = 1 / (taps * taps * UNIT);
  const patch = takeLuma(pixels, width, height, boundsOf(ix, iy, tx, ty, size));
  for (let v = 0; v < size; v++) {
    sums.fill(0, 0, size);
    for (let j = 0; j < taps; j++) {
      const dv = v + (j + 0.5) / taps - ty;
      const du = 0.5 / taps - tx;
      const x = ix * du - iy * dv - 0.5;
      const y = iy * du + ix * dv - 0.5;
      addSamples(patch, x - patch.x, y - patch.y, stepX, stepY, taps, size);
    }
    for (let u = 0; u < size; u++) out[v * size + u] = sums[u]! * share + 0.5;
  }
  if (patch.values.length > MOST_KEPT) scratchPatch.values = new Uint16Array(0);
}

/** One line of the crop; larger crops than this are not made. */
const sums = new Int32Array(1024);

/** Luma in 256ths of a part of a picture, its last column and row twice: each has a neighbour. */
interface LumaPatch {
  values: Uint16Array;
  /** Pixel indices of the patch's first value. */
  x: number;
  y: number;
  /** Pixels; a row of `values` holds one more. */
  width: number;
  height: number;
}

/** Samples are counted in this many parts of a grey level; 8² of them fit 32 bits. */
const UNIT = 8192;
/** Places are counted in 1024ths of a pixel. */
const PLACE_BITS = 10;
const FRACTION = (1 << PLACE_BITS) - 1;

/** A whole 4K frame; the patch of a larger picture is not kept for the next one. */
const MOST_KEPT = 1 << 23;
const scratchPatch: LumaPatch = { values: new Uint16Array(0), x: 0, y: 0, width: 0, height: 0 };
const scratchBounds = { x0: 0, y0: 0, x1: 0, y1: 0 };
type Bounds = Readonly<typeof scratchBounds>;

/** Smallest upright rectangle, in pixel indices, around the crop's square in the picture. */
function boundsOf(ix: number, iy: number, tx: number, ty: number, size: number): Bounds {
  const [u0, u1, v0, v1] = [-tx, size - tx, -ty, size - ty];
  scratchBounds.x0 = Math.min(ix * u0, ix * u1) + Math.min(-iy * v0, -iy * v1) - 0.5;
  scratchBounds.x1 = Math.max(ix * u0, ix * u1) + Math.max(-iy * v0, -iy * v1) - 0.5;
  scratchBounds.y0 = Math.min(iy * u0, iy * u1) + Math.min(ix * v0, ix * v1) - 0.5;
  scratchBounds.y1 = Math.max(iy * u0, iy * u1) + Math.max(ix * v0, ix * v1) - 0.5;
  return scratchBounds;
}

/** BT.601 luma of the pixels within bounds, or of the border nearest to them. */
function takeLuma(
  pixels: Uint8Array,
  width: number,
  height: number,
  { x0, y0, x1, y1 }: Bounds,
): Readonly<LumaPatch> {
  const patch = scratchPatch;
  patch.x = clamp(Math.floor(x0), 0, width - 1);
  patch.y = clamp(Math.floor(y0), 0, height - 1);
  patch.width = clamp(Math.ceil(x1) + 1, patch.x + 1, width) - patch.x;
  patch.height = clamp(Math.ceil(y1) + 1, patch.y + 1, height) - patch.y;
  const stride = patch.width + 1;
  const length = stride * (patch.height + 1);
  if (patch.values.length < length) patch.values = new Uint16Array(length);
  const { values } = patch;
  for (let y = 0; y < patch.height; y++) {
    const row = y * stride;
    let i = ((patch.y + y) * width + patch.x) * 3;
    for (let x = 0; x < patch.width; x++, i += 3)
      values[row + x] =
        (Math.imul(pixels[i]!, 19595) + Math.imul(pixels[i + 1]!, 38470) + Math.imul(pixels[i + 2]!, 7471)) >>> 8; // prettier-ignore
    values[row + patch.width] = values[row + patch.width - 1]!;
  }
  const end = patch.height * stride;
  values.copyWithin(end, end - stride, end);
  return patch;
}

/** Adds one line of bilinear samples to the sums of their crop pixels; the border repeats. */
function addSamples(
  { values, width, height }: Readonly<LumaPatch>,
  x: number,
  y: number,
  stepX: number,
  stepY: number,
  taps: number,
  size: number,
): void {
  const stride = width + 1;
  const one = 1 << PLACE_BITS;
  const [lastX, lastY] = [(width - 1) * one, (height - 1) * one];
  let [placeX, placeY] = [x * one, y * one];
  const [moveX, moveY] = [stepX * one, stepY * one];
  for (let u = 0; u < size; u++) {
    let sum = 0;
    for (let i = 0; i < taps; i++, placeX += moveX, placeY += moveY) {
      const ix = placeX | 0;
      const iy = placeY | 0;
      const cx = ix < 0 ? 0 : ix > lastX ? lastX : ix;
      const cy = iy < 0 ? 0 : iy > lastY ? lastY : iy;
      const at = (Math.imul(cy >> PLACE_BITS, stride) + (cx >> PLACE_BITS)) | 0;
      const fx = cx & FRACTION;
      const a = values[at]!;
      const c = values[at + stride]!;
      const upper = (a << 5) + (Math.imul(fx, values[at + 1]! - a) >> 5);
      const lower = (c << 5) + (Math.imul(fx, values[at + stride + 1]! - c) >> 5);
      sum = (sum + upper + (Math.imul(cy & FRACTION, (lower - upper) >> 5) >> 5)) | 0;
    }
    sums[u]! += sum;
  }
}

const clamp = (value: number, low: number, high: number): number =>
  Math.min(high, Math.max(low, value));
