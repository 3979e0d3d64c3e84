/** What TensorFlow.js passes to its convolution kernels. */
export interface ConvolutionAttributes {
  readonly strides: [number, number] | number;
  readonly pad: 'same' | 'valid' | number | [number, number][];
  readonly inputShape?: [number, number, number, number];
  readonly filterShape?: [number, number, number, number];
}

/** Stride and zeros before and after, for rows (0) and columns (1). */
export interface Window {
  readonly stride: [number, number];
  readonly before: [number, number];
  readonly after: [number, number];
}

export function windowOf(
  input: readonly number[],
  output: readonly number[],
  kernel: readonly number[],
  { strides, pad }: ConvolutionAttributes,
): Window {
  const stride: [number, number] = typeof strides === 'number' ? [strides, strides] : strides;
  const before: [number, number] = [0, 0];
  const after: [number, number] = [0, 0];
  for (const axis of [0, 1] as const) {
    const needed = (output[axis + 1]! - 1) * stride[axis] + kernel[axis]! - input[axis + 1]!;
    if (pad === 'same') before[axis] = Math.floor(Math.max(0, needed) / 2);
    else if (typeof pad === 'number') before[axis] = pad;
    else if (Array.isArray(pad)) before[axis] = pad[axis + 1]![0];
    after[axis] = needed - before[axis];
  }
  return { stride, before, after };
}
