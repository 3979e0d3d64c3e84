import {
  LARGEST_WEIGHT,
  outputChannels,
  roundHalfEven,
  type QuantizedWeights,
  type WeightedLayer,
} from './scheme.js';

/** Shares of a channel's largest weight that are tried as the largest number to keep. */
const CLIPS = [1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7];
/** Biases stay this far inside int32, so that a sum never wraps. */
const LARGEST_BIAS = 2 ** 30;

/**
 * Per-channel symmetric int8: each channel's scale is the one of {@link CLIPS} with the least squared
 * error. A channel of tiny weights and a large bias gets a scale that its bias fits.
 * @param inputScale scale of the layer's input, which the bias is counted in.
 */
export function quantizeWeights(layer: WeightedLayer, inputScale: number): QuantizedWeights {
  const { data } = layer.kernel;
  const channels = outputChannels(layer);
  const scales = new Float32Array(channels);
  const bias = new Int32Array(channels);
  const kernel = new Int8Array(data.length);
  for (let channel = 0; channel < channels; channel++) {
    const offset = layer.bias?.data[channel] ?? 0;
    const least = Math.max(1e-12, Math.abs(offset) / (inputScale * LARGEST_BIAS));
    const scale = Math.fround(Math.max(least, bestScale(data, channel, channels)));
    scales[channel] = scale;
    bias[channel] = roundHalfEven(offset / Math.fround(inputScale * scale));
    for (let i = channel; i < data.length; i += channels) kernel[i] = weightByte(data[i]!, scale);
  }
  return { kernel, scales, bias };
}

const weightByte = (value: number, scale: number): number =>
  Math.max(-LARGEST_WEIGHT, Math.min(LARGEST_WEIGHT, roundHalfEven(value / scale)));

function bestScale(data: Float32Array, channel: number, channels: number): number {
  let largest = 0;
  for (let i = channel; i < data.length; i += channels)
    largest = Math.max(largest, Math.abs(data[i]!));
  let [best, least] = [largest / LARGEST_WEIGHT, Infinity];
  if (largest === 0) return best;
  for (const clip of CLIPS) {
    const scale = (clip * largest) / LARGEST_WEIGHT;
    let error = 0;
    for (let i = channel; i < data.length; i += channels)
      error += (weightByte(data[i]!, scale) * scale - data[i]!) ** 2;
    if (error < least) [best, least] = [scale, error];
  }
  return best;
}

/** Kernel as the integers stand for it, in float. */
export function dequantizeKernel({ kernel, scales }: QuantizedWeights): Float32Array {
  return Float32Array.from(kernel, (q, i) => q * scales[i % scales.length]!);
}
