import { describe, expect, it } from 'vitest';
import { apply, rotationFromVector } from '../../core/geometry.js';
import { bonyFace } from '../../encoder/proportions.js';
import { Random } from '../../encoder/random.js';
import { fitProportions, type StretchedFace } from '../../training/index.js';
import { canonicalFace } from '../support/canonical-face.js';

const { points } = await canonicalFace();
/** Somebody's face, seen turned; a mouth that opens lengthens what lies below the nose, by `open`. */
function seen(person: number, view: number, { tall = 1, open = 0, wide = 0 }): StretchedFace {
  const own = new Random(person);
  const random = new Random(1000 * person + view);
  const shape = Float32Array.from(points, (value, i) => 60 * (i % 3 === 0 ? value : -value) + 0.04 * own.normal() + 0.02 * random.normal()); // prettier-ignore
  const rotation = rotationFromVector([random.between(-0.2, 0.2), random.between(-1, 1) * wide, 0]);
  const landmarks = new Float32Array(shape.length);
  for (let i = 0; i < shape.length; i += 3) {
    const lower = shape[i + 1]! > 0.5 ? open * 0.1 * shape[i + 1]! : 0;
    const [x, y, z] = apply(rotation, [shape[i]!, shape[i + 1]! + lower, shape[i + 2]!]);
    landmarks.set([x, tall * y, z], i);
  }
  return { personId: String(person), label: open > 0 ? 'surprise' : 'neutral', landmarks, tall };
}
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('what tells of a face’s proportions', () => {
  const rendered = range(40).flatMap((person) => range(12).map((view) => seen(person, view, { wide: 0.8, open: view % 3 }))); // prettier-ignore
  const real = range(25).flatMap((person) => [0.87, 1, 1.15].map((tall, view) => seen(100 + person, view, { tall }))); // prettier-ignore
  const { weights, mean } = fitProportions(rendered, real);
  const estimate = (face: StretchedFace): number =>
    bonyFace(face.landmarks)!.features.reduce((sum, value, i) => sum + weights[i]! * value, -mean);

  it('answers to a stretched picture of somebody new with the logarithm of the stretch', () => {
    for (const person of range(10)) {
      const [own, taller] = [1, 1.12].map((tall) => estimate(seen(200 + person, 0, { tall })));
      expect(Math.abs(taller! - own! - Math.log(1.12))).toBeLessThan(0.03);
    }
  });

  it('is nothing on average, whatever the expression and the turn', () => {
    const differences = range(60).map((person) => estimate(seen(300 + person, 1, { open: 2, wide: 0.8 })) - estimate(seen(300 + person, 2, { open: 0 }))); // prettier-ignore
    const average = differences.reduce((sum, value) => sum + value / differences.length, 0);
    expect(Math.abs(average)).toBeLessThan(0.015);
  });

  it('leaves out meshes that span no space', () => {
    const none = {
      personId: 'none',
      label: 'neutral',
      landmarks: new Float32Array(3 * 468),
      tall: 1,
    };
    expect(fitProportions([...rendered, none], [...real, none])).toEqual({ weights, mean });
  });
});
