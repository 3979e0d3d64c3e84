import { describe, expect, it } from 'vitest';
import { EXPRESSION_LABELS } from '../../../core/types.js';
import { PROTOTYPES, randomMoment, recipeShapes } from '../../../training/scene/expression.js';
import { Random } from '../../../training/scene/random.js';
import { performAll } from '../../../training/scene/script.js';

describe('composed expressions', () => {
  it('have several ways to show every label but neutral, which moves nothing', () => {
    for (const label of EXPRESSION_LABELS) {
      const count = PROTOTYPES[label].length;
      if (label === 'neutral') expect(PROTOTYPES.neutral).toEqual([{}]);
      else expect(count).toBeGreaterThan(1);
    }
  });

  it('raise lip corners and cheeks in a smile and nothing of the brows', () => {
    const smile = recipeShapes({ label: 'happiness', strength: 1, prototype: 0, asymmetry: 0 });
    expect(smile['mouthSmile_L']).toBeGreaterThan(0.9);
    expect(smile['cheekSquint_R']).toBeGreaterThan(0.5);
    expect(Object.keys(smile).some((name) => name.startsWith('brow'))).toBe(false);
  });

  it('move one half of the face less where they are asymmetric', () => {
    const shapes = recipeShapes({ label: 'anger', strength: 1, prototype: 0, asymmetry: 0.4 });
    expect(shapes['browDown_R']).toBeCloseTo(0.6 * shapes['browDown_L']!);
  });

  it('are the same moment for the same seed and another one for another', () => {
    const moment = (seed: number) => randomMoment(new Random(seed), 'fear');
    expect(moment(3)).toEqual(moment(3));
    expect(moment(3)).not.toEqual(moment(4));
  });
});

describe('a scripted person', () => {
  const script = performAll('seed', 9, [0, 1.2, 0], 0);
  const times = Array.from({ length: 180 }, (_, i) => i / 20);

  it('shows every expression once, clearly, in the time given', () => {
    const strongest = new Map<string, number>();
    let changes = 0;
    let before = '';
    for (const time of times) {
      const { label, strength } = script(time);
      strongest.set(label, Math.max(strongest.get(label) ?? 0, strength));
      if (label !== 'neutral' && label !== before) changes++;
      before = label;
    }
    expect([...strongest.keys()].sort()).toEqual([...EXPRESSION_LABELS].sort());
    for (const [label, strength] of strongest) {
      if (label !== 'neutral') expect(strength).toBeGreaterThan(0.75);
    }
    expect(changes).toBe(6);
  });

  it('moves without jumps', () => {
    for (const time of times) {
      const [a, b] = [script(time), script(time + 0.01)];
      a.place.rotation.forEach((value, i) => {
        expect(Math.abs(value - b.place.rotation[i]!)).toBeLessThan(0.02);
      });
    }
  });
});
