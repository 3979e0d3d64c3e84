import { describe, expect, it } from 'vitest';
import { loadModel } from '../../encoder/index.js';
import { cropNormalizer, DEFAULT_MASK } from '../../encoder/normalize.js';
import { joinView, viewPreparer } from '../../encoder/view.js';
import { EmbedStage } from '../../runtime/embed/embed.js';
import { createEngine } from '../../runtime/engine/engine.js';
import { DEFAULT_MODEL } from '../../runtime/index.js';
import { faceLikeCrops } from './quantise/calibration.js';

const SIZE = 64;
const normalize = cropNormalizer(SIZE, DEFAULT_MASK);

function mirrorImage(crop: Uint8Array): Uint8Array {
  return crop.map((_, i) => crop[i - (i % SIZE) + SIZE - 1 - (i % SIZE)]!);
}

describe('a view', () => {
  const [crop] = faceLikeCrops(1, 5) as [Uint8Array];

  it('is two rows, the crop and its mirror image', () => {
    const rows = new Float32Array(2 * SIZE * SIZE);
    viewPreparer(SIZE, normalize)(crop, rows);
    const [asIs, mirrored] = [new Float32Array(SIZE * SIZE), new Float32Array(SIZE * SIZE)];
    normalize(crop, asIs);
    normalize(mirrorImage(crop), mirrored);
    expect(rows).toStrictEqual(Float32Array.from([...asIs, ...mirrored]));
    expect(asIs).not.toStrictEqual(mirrored);
  });

  it('has the unit mean of both rows for an embedding where there are no landmarks', () => {
    const joined = joinView(Float32Array.of(1, 0, 0, 1), undefined, new Float32Array(0));
    for (const value of joined) expect(value).toBeCloseTo(Math.SQRT1_2, 6);
    const same = joinView(Float32Array.of(0.6, 0.8, 0.6, 0.8), undefined, new Float32Array(0));
    [0.6, 0.8].forEach((value, i) => expect(same[i]).toBeCloseTo(value, 6));
  });

  it('and its mirror image have one embedding with the shipped weights', async () => {
    const model = await loadModel(DEFAULT_MODEL);
    const engine = await createEngine({ kind: 'onnxruntime', threads: 1 });
    const stage = new EmbedStage(model, await engine.load(model.graph, 'encoder'));
    // Points without extent have no geometry: what differs here is the pixels alone.
    const landmarks = new Float32Array(3 * 468);
    try {
      const [asIs, mirrored, other] = await stage.push(
        [crop, mirrorImage(crop), faceLikeCrops(2, 6)[1]!].map((c) => ({ crop: c, landmarks })),
      );
      const apart = (a: Float32Array, b: Float32Array): number =>
        a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
      expect(apart(asIs!, mirrored!)).toBeLessThan(1e-5);
      expect(apart(asIs!, other!)).toBeGreaterThan(0.01);
    } finally {
      await stage.close();
    }
  });
});
