import { describe, expect, it } from 'vitest';
import { calibrationError, jensenShannon, logLoss, metricsOf } from '../../training/metrics.js';

const LABELS = ['a', 'b', 'c'];
/** Truth and answer, the answer with 80 %; null is a picture without a face. */
const scored = (label: number, answer: number | null) => ({
  label,
  probabilities: answer === null ? undefined : LABELS.map((_, i) => (i === answer ? 0.8 : 0.1)),
});

describe('metrics', () => {
  // a: 2 of 3 right, one without a face; b: 1 of 2 right; c does not occur, and is answered once.
  const examples = [scored(0, 0), scored(0, 0), scored(0, null), scored(1, 1), scored(1, 2)];
  const metrics = metricsOf(LABELS, examples);

  it('count a picture without a face as wrong', () => {
    expect(metrics).toMatchObject({ n: 5, found: 4 });
    expect(metrics.accuracy).toBeCloseTo(3 / 5, 12);
  });

  it('balance over the labels that occur', () => {
    expect(metrics.balancedAccuracy).toBeCloseTo((2 / 3 + 1 / 2) / 2, 12);
  });

  it('state recall and precision a class, and the confusions', () => {
    expect(metrics.perClass).toEqual({
      a: { n: 3, recall: 2 / 3, precision: 1 },
      b: { n: 2, recall: 1 / 2, precision: 1 },
      c: { n: 0, recall: 0, precision: 0 },
    });
    expect(metrics.confusion).toEqual([[2, 0, 0, 1], [0, 1, 1, 0], [0, 0, 0, 0]]); // prettier-ignore
  });

  it('state the calibration error of the found ones', () => {
    // All four with confidence 0.8, three right.
    expect(metrics.ece).toBeCloseTo(Math.abs(0.8 - 0.75), 12);
    const halves = [
      { label: 0, probabilities: [0.95, 0.05] },
      { label: 1, probabilities: [0.95, 0.05] },
      { label: 0, probabilities: [0.55, 0.45] },
      { label: 0, probabilities: [0.55, 0.45] },
    ];
    expect(calibrationError(halves, 2)).toBeCloseTo(Math.abs(3 / 4 - 0.75), 12);
    expect(calibrationError(halves, 10)).toBeCloseTo(
      (2 * Math.abs(0.5 - 0.95) + 2 * Math.abs(1 - 0.55)) / 4,
      12,
    );
  });

  it('state log loss and the disagreement of views', () => {
    expect(logLoss([{ label: 0, probabilities: [0.5, 0.5] }, { label: 1, probabilities: [0.75, 0.25] }])).toBeCloseTo((Math.log(2) + Math.log(4)) / 2, 12); // prettier-ignore
    expect(jensenShannon([[1, 0], [0, 1]])).toBeCloseTo(Math.log(2), 12); // prettier-ignore
    expect(jensenShannon([[0.3, 0.7], [0.3, 0.7]])).toBeCloseTo(0, 12); // prettier-ignore
  });

  it('are finite for nothing at all', () => {
    expect(metricsOf(LABELS, [])).toMatchObject({ n: 0, accuracy: 0, balancedAccuracy: 0, ece: 0 });
  });
});
