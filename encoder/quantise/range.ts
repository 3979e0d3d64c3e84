import type { Observed } from './observe.js';
import { paramsOf, rangeOf, type QuantParams } from './scheme.js';

/** How a tensor's range is chosen from what calibration saw. */
export const RANGE_METHODS = ['minmax', 'percentile', 'mse'] as const;
export type RangeMethod = (typeof RANGE_METHODS)[number];

/** Share of the values that `percentile` leaves outside, half on each side that has any. */
const OUTSIDE = 1e-4;
/** `mse` tries to keep these shares of the range. */
const KEPT = Array.from({ length: 36 }, (_, i) => 1 - i * 0.02);

export function chooseRange(observed: Observed, method: RangeMethod): QuantParams {
  const { low, high } = observed;
  switch (method) {
    case 'minmax':
      return paramsOf(low, high);
    case 'percentile':
      return paramsOf(...quantiles(observed));
    case 'mse':
      return leastError(observed);
  }
}

function quantiles({ low, high, histogram }: Observed): [number, number] {
  const step = (high - low) / histogram.length;
  const most = (histogram.reduce((sum, count) => sum + count, 0) * OUTSIDE) / 2;
  let [from, below] = [0, 0];
  while (from < histogram.length - 1 && (below += histogram[from]!) <= most) from++;
  let [to, above] = [histogram.length - 1, 0];
  while (to > from && (above += histogram[to]!) <= most) to--;
  return [low + from * step, low + (to + 1) * step];
}

/** The clipped range with the least squared error of rounding and clipping together. */
function leastError(observed: Observed): QuantParams {
  const { low, high } = observed;
  let best = paramsOf(low, high);
  let least = expectedError(observed, best);
  for (const upper of KEPT) {
    for (const lower of low < 0 ? KEPT : [1]) {
      const params = paramsOf(low * lower, high * upper);
      const error = expectedError(observed, params);
      if (error < least) [best, least] = [params, error];
    }
  }
  return best;
}

/** Sum of squared errors over the histogram; inside the range rounding costs step² / 12 (uniform). */
function expectedError({ low, high, histogram }: Observed, params: QuantParams): number {
  const step = (high - low) / histogram.length;
  const [from, to] = rangeOf(params);
  const rounding = params.scale ** 2 / 12;
  let sum = 0;
  for (let i = 0; i < histogram.length; i++) {
    const count = histogram[i]!;
    if (count === 0) continue;
    const value = low + (i + 0.5) * step;
    sum += count * (value < from ? (from - value) ** 2 : value > to ? (value - to) ** 2 : rounding);
  }
  return sum;
}
