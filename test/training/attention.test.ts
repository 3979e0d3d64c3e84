import { describe, expect, it } from 'vitest';
import { fuseViews, softmax, VIEW_FEATURES, type Head } from '../../encoder/fusion.js';
import { drawn, zeros } from '../../encoder/network.js';
import { Random } from '../../encoder/random.js';
import {
  attentionLoss,
  fitAttention,
  startOf,
  subsetsOf,
  type AttendedGroup,
} from '../../training/attention.js';

const [LABELS, WIDTH] = [3, 6];

const unit = (vector: Float32Array): Float32Array => {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
};

const axis = (at: number): Float32Array =>
  Float32Array.from({ length: WIDTH }, (_, i) => (i === at ? 1 : 0));

const head: Head = {
  prototypes: {
    shape: [LABELS, WIDTH],
    data: Float32Array.from([0, 1, 2].flatMap((l) => [...axis(l)])),
  },
  prototypesPerLabel: 1,
  scale: 8,
  query: drawn(new Random(4), [WIDTH], 0.2),
  viewBias: zeros([VIEW_FEATURES]),
};

/** Good views show the label, bad ones any other; only their yaw tells which are which. */
function groups(count: number, seed: number): AttendedGroup[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => {
    const label = random.integer(LABELS);
    const views = Array.from({ length: 2 + random.integer(3) }, (_, v) => {
      const good = v === 0;
      const shown = good ? label : (label + 1 + random.integer(LABELS - 1)) % LABELS;
      const noise = Array.from({ length: WIDTH }, () => 0.25 * random.normal());
      return {
        embedding: unit(axis(shown).map((value, i) => value + noise[i]!)),
        yawDeg: good ? 20 * random.uniform() : 55 + 20 * random.uniform(),
        pitchDeg: 5 * random.normal(),
        rollDeg: 5 * random.normal(),
        quality: random.uniform(),
      };
    });
    return { label, views };
  });
}

const accuracy = (given: Head, test: readonly AttendedGroup[]): number =>
  test.filter(({ label, views }) => {
    const { logits } = fuseViews(
      given,
      views.map(({ embedding }) => embedding),
      views,
    );
    return logits.indexOf(Math.max(...logits)) === label;
  }).length / test.length;

describe('attention fitted to strangers', () => {
  it('learns which views to trust, and keeps all else of the head', () => {
    const strangers = groups(300, 1);
    const fitted = fitAttention(strangers, head);
    const unseen = groups(300, 2);
    expect(accuracy(head, unseen)).toBeLessThan(0.7);
    expect(accuracy(fitted, unseen)).toBeGreaterThan(0.95);
    expect(fitted.prototypes).toBe(head.prototypes);
    expect(fitted.query.data).toHaveLength(WIDTH);
    expect(fitAttention(strangers, head)).toStrictEqual(fitted);
  });

  it('has the loss of the fused probabilities and the gradient of finite differences', () => {
    const [group] = groups(1, 3) as [AttendedGroup];
    const pair = { ...group, views: group.views.slice(0, 2) };
    const examples = subsetsOf([pair], head);
    const start = startOf(head, 2);
    const problem = { examples, start, penalty: 0.1 };
    const loss = (at: Float64Array): number =>
      attentionLoss(problem, at, new Float64Array(at.length));
    const { logits } = fuseViews(
      head,
      pair.views.map(({ embedding }) => embedding),
      pair.views,
    );
    expect(loss(start)).toBeCloseTo(-Math.log(softmax(logits)[group.label]!), 5);
    const random = new Random(9);
    const at = start.map((value) => value + 0.3 * random.normal());
    const gradient = new Float64Array(at.length);
    attentionLoss(problem, at, gradient);
    at.forEach((_, i) => {
      const moved = (by: number): Float64Array => at.map((v, k) => (k === i ? v + by : v));
      expect(gradient[i]).toBeCloseTo((loss(moved(1e-5)) - loss(moved(-1e-5))) / 2e-5, 5);
    });
  });

  it('stays as trained where nobody is seen twice at once', () => {
    const alone = groups(5, 1).map((group) => ({ ...group, views: group.views.slice(0, 1) }));
    expect(fitAttention(alone, head)).toBe(head);
  });
});
