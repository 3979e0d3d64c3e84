import { expect, it } from 'vitest';
import { AVERAGE_IDENTITY, identityLike } from '../../../training/scene/identity.js';
import { Random } from '../../../training/scene/random.js';

const fitted = Array.from({ length: 40 }, (_, mode) => Math.sin(mode));

it('is the fitted person where the likeness is whole', () => {
  expect(identityLike(new Random(1), fitted, 1, 40)).toEqual(fitted);
});

it('is anybody about the average where there is none, also in modes that no fit knows', () => {
  const random = new Random(2);
  const people = Array.from({ length: 4000 }, () => identityLike(random, fitted, 0, 60));
  for (let mode = 0; mode < 60; mode++) {
    const mean = people.reduce((sum, person) => sum + person[mode]!, 0) / people.length;
    expect(Math.abs(mean - (AVERAGE_IDENTITY[mode] ?? 0))).toBeLessThan(0.13);
  }
});

it('stands half-way between both at a likeness of a half', () => {
  const half = identityLike(new Random(3), fitted, 0.5, 40);
  const none = identityLike(new Random(3), fitted, 0, 40);
  half.forEach((weight, mode) => {
    expect(weight).toBeCloseTo((fitted[mode]! + none[mode]!) / 2, 9);
  });
});
