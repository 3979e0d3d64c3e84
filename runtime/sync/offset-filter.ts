import type { Line } from './envelope.js';

/** Random walk of a crystal's frequency, per √s: cheap oscillators warming up. */
const DRIFT_WALK = 0.05e-6;
/** Random walk of the offset itself, ms per √s: what two states do not explain. */
const OFFSET_WALK_MS = 0.005;
/** Frequencies of crystals stay within this of each other; the prior before any measurement. */
const DRIFT_PRIOR = 150e-6;
/** Innovations beyond so many standard deviations are pulled in to there. */
const GATE = 3;
/** Successive lines share most of their points: each counts as less than a measurement. */
const SHARED = 4;

/**
 * Offset and drift of a clock, from lines under its points: a two-state Kalman filter (offset in ms,
 * drift as a ratio) whose innovations are clipped, so that a bad window bends it and does not break
 * it. x is the camera's own time in ms.
 */
export class OffsetFilter {
  #x: number;
  #offset: number;
  #drift = 0;
  #p00: number;
  #p01 = 0;
  #p11 = DRIFT_PRIOR ** 2;

  constructor(x: number, offset: number, deviation: number) {
    this.#x = x;
    this.#offset = offset;
    this.#p00 = deviation ** 2;
  }

  get drift(): number {
    return this.#drift;
  }

  offsetAt(x: number): number {
    return this.#offset + this.#drift * (x - this.#x);
  }

  /** Standard deviation of {@link offsetAt}. */
  deviationAt(x: number): number {
    const dx = x - this.#x;
    const walk = OFFSET_WALK_MS ** 2 * (Math.abs(dx) / 1000);
    return Math.sqrt(Math.max(0, this.#p00 + 2 * dx * this.#p01 + dx * dx * this.#p11) + walk);
  }

  /** A point below the envelope: the offset cannot be more than this. */
  lower(x: number, offset: number): void {
    this.#advance(x);
    this.#offset = offset;
  }

  /** The clock was set: the offset starts anew, the crystal is still the same. */
  restart(x: number, offset: number, deviation: number): void {
    this.#x = x;
    this.#offset = offset;
    this.#p00 = deviation ** 2;
    this.#p01 = 0;
  }

  update({ value, slope, excess, span, count, x }: Line): void {
    this.#advance(x);
    // The lowest of n delays comes as close to the least as their mean excess over n.
    const noise = (0.05 + (2 * excess) / count) ** 2 * SHARED;
    this.#correct(value - this.#offset, 1, 0, noise);
    if (span > 2000) this.#correct(slope - this.#drift, 0, 1, (12 * noise) / span ** 2);
  }

  #advance(x: number): void {
    const dx = x - this.#x;
    this.#x = x;
    this.#offset += this.#drift * dx;
    const seconds = Math.abs(dx) / 1000;
    this.#p00 += 2 * dx * this.#p01 + dx * dx * this.#p11 + OFFSET_WALK_MS ** 2 * seconds;
    this.#p01 += dx * this.#p11;
    this.#p11 += DRIFT_WALK ** 2 * seconds;
  }

  /** Takes a measurement of h0 · offset + h1 · drift, given what it differs from the state by. */
  #correct(innovation: number, h0: number, h1: number, noise: number): void {
    const c0 = this.#p00 * h0 + this.#p01 * h1;
    const c1 = this.#p01 * h0 + this.#p11 * h1;
    const variance = h0 * c0 + h1 * c1 + noise;
    const most = GATE * Math.sqrt(variance);
    const clipped = Math.max(-most, Math.min(most, innovation));
    const [k0, k1] = [c0 / variance, c1 / variance];
    this.#offset += k0 * clipped;
    this.#drift += k1 * clipped;
    this.#p00 -= k0 * c0;
    this.#p01 -= k0 * c1;
    this.#p11 -= k1 * c1;
  }
}
