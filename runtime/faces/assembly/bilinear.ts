/**
 * Bilinear samples of an RGB24 patch, the inner loop of `sampler.ts`: AssemblyScript, compiled to
 * WebAssembly with SIMD.
 */

/** Places add up in 2^−32 pixels, and weigh in 1024ths: with a byte these fit 32 bits twice. */
const PLACE: f64 = 4294967296;
const TO_1024THS: i64 = 22;
const WEIGHTS = 1024;

/**
 * Fills the tables of weights by 1024ths of a pixel: of the lower row, for both rows at once, then of
 * the right pixel, times the gain.
 * @param tables their address, 8192 bytes
 * @param gain value = byte × gain + low
 */
export function prepare(tables: usize, gain: f32): void {
  for (let i = 0; i < WEIGHTS; i++) {
    const at = tables + 4 * usize(i);
    store<i32>(at, WEIGHTS - i + (i << 16));
    store<f32>(at, (f32(i) * gain) / f32(WEIGHTS * WEIGHTS), 4 * WEIGHTS);
  }
}

/**
 * Writes `lines` × `columns` × RGB floats, line after line; 4 bytes past the last are overwritten.
 * @param tables what `prepare` filled
 * @param patch address of the patch; a row and two pixels past its last are read and weigh nothing
 * @param stride bytes of a row of the patch
 * @param lastX index of the patch's last column
 * @param lastY index of the patch's last row
 * @param x place of the first sample (with y), in pixel indices of the patch
 * @param ux step from sample to sample (with uy)
 * @param vx step from line to line (with vy)
 * @param columns an even number
 * @param gain as for the tables
 * @param out address of the first value
 * @param outStride bytes from line to line
 * @param inside all places lie within the patch; otherwise those outside are taken at its border
 */
export function sample(
  tables: usize, patch: usize, stride: usize, lastX: i32, lastY: i32,
  x: f64, y: f64, ux: f64, uy: f64, vx: f64, vy: f64,
  columns: i32, lines: i32, gain: f32, low: f32, out: usize, outStride: usize, inside: bool,
): void {
  const farX = i64(lastX) << 10;
  const farY = i64(lastY) << 10;
  const moveX = i64(ux * PLACE);
  const moveY = i64(uy * PLACE);
  const units = f32x4.splat(gain / f32(WEIGHTS));
  const lows = f32x4.splat(low);
  for (let v = 0; v < lines; v++) {
    let placeX = i64((x + f64(v) * vx) * PLACE);
    let placeY = i64((y + f64(v) * vy) * PLACE);
    let to = out + usize(v) * outStride;
    const end = to + usize(columns) * 12;
    // Two a turn: V8 asks in every turn whether it is to stop.
    while (to < end) {
      v128.store(to, blend(placeX >> TO_1024THS, placeY >> TO_1024THS, farX, farY, inside, tables, patch, stride, units, lows));
      placeX += moveX;
      placeY += moveY;
      v128.store(to + 12, blend(placeX >> TO_1024THS, placeY >> TO_1024THS, farX, farY, inside, tables, patch, stride, units, lows));
      placeX += moveX;
      placeY += moveY;
      to += 24;
    }
  }
}

/** Red, green and blue of one sample, and a value that means nothing. */
@inline
function blend(
  px: i64, py: i64, farX: i64, farY: i64, inside: bool,
  tables: usize, patch: usize, stride: usize, units: v128, lows: v128,
): v128 {
  if (!inside) {
    px = max<i64>(0, min<i64>(px, farX));
    py = max<i64>(0, min<i64>(py, farY));
  }
  const at = patch + usize(py >> 10) * stride + usize(px >> 10) * 3;
  // Each byte beside the one below it, so that one product weighs both.
  const rows = v128.shuffle<u8>(
    v128.load64_zero(at), v128.load64_zero(at + stride),
    0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
  );
  const down = v128.load32_splat(tables + ((usize(py) & (WEIGHTS - 1)) << 2));
  const first = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(rows), down);
  const second = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(rows), down);
  // Red, green and blue of the left pixel come first; the right one's begin three further on.
  const left = f32x4.convert_i32x4_s(first);
  const right = f32x4.convert_i32x4_s(v128.shuffle<i32>(first, second, 3, 4, 5, 6));
  const across = v128.load32_splat(tables + ((usize(px) & (WEIGHTS - 1)) << 2), 4 * WEIGHTS);
  const level = f32x4.add(f32x4.mul(left, units), lows);
  return f32x4.add(level, f32x4.mul(f32x4.sub(right, left), across));
}
