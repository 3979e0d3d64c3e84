import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeOnnx } from '../../../encoder/formats/onnx.js';
import { toHalf, writeOnnxHalf } from '../../../encoder/formats/onnx-half.js';
import { buildNetwork, NETWORKS } from '../../../encoder/network.js';
import { createOnnxRuntime } from '../../../runtime/engine/onnxruntime.js';
import { faceLikeCrops, inputsOf } from '../quantise/calibration.js';

/** The number that half-precision bits stand for, by the standard's own words. */
function fromHalf(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * 2 ** -14 * (fraction / 1024);
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}

describe('half precision', () => {
  it('gives every half-precision number back as it is', () => {
    for (let bits = 0; bits < 0x7c00; bits++) {
      expect(toHalf(fromHalf(bits))).toBe(bits);
      expect(toHalf(-fromHalf(bits))).toBe(bits | 0x8000);
    }
  });

  it('takes the nearest number there is', () => {
    fc.assert(
      fc.property(fc.double({ min: -65_000, max: 65_000, noNaN: true }), (value) => {
        const bits = toHalf(value) & 0x7fff;
        const error = Math.abs(fromHalf(bits) - Math.abs(value));
        for (const other of [bits - 1, bits + 1]) {
          if (other >= 0 && other < 0x7c00)
            expect(error).toBeLessThanOrEqual(Math.abs(fromHalf(other) - Math.abs(value)));
        }
      }),
    );
  });

  it('stays finite', () => {
    expect(toHalf(1e9)).toBe(0x7bff);
    expect(toHalf(-1e9)).toBe(0xfbff);
  });
});

describe('a half-precision .onnx file', () => {
  it('embeds as the float network does, fed and read in float', async () => {
    const graph = buildNetwork(NETWORKS.small, 3);
    const bytes = writeOnnxHalf(graph);
    const crops = inputsOf(faceLikeCrops(8, 2));
    const feeds = { crop: { data: crops, shape: [8, 64, 64, 1] } };
    const engine = createOnnxRuntime(1);
    const [float, half] = [await engine.load(graph, 'fp32'), await engine.load(bytes, 'fp16')];
    const [expected, got] = [await float.run(feeds), await half.run(feeds)];
    got['embedding']!.data.forEach((value, i) =>
      expect(Math.abs(value - expected['embedding']!.data[i]!)).toBeLessThan(5e-3),
    );
    await Promise.all([float.close(), half.close()]);
  });

  it('takes half the room', () => {
    const graph = buildNetwork(NETWORKS.small, 3);
    expect(writeOnnxHalf(graph).length).toBeLessThan(0.51 * writeOnnx(graph).length);
  });
});
