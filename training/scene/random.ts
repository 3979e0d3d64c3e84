/** A stream of numbers that a seed fixes (Marsaglia's xorshift128, seeded by a 32-bit mix). */
export class Random {
  readonly #state = new Uint32Array(4);
  #spare: number | undefined;

  constructor(seed: number | string) {
    let hash = typeof seed === 'string' ? hashText(seed) : seed >>> 0;
    for (let i = 0; i < 4; i++) {
      hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b) + 0x9e3779b9;
      this.#state[i] = hash ^ (hash >>> 15) || i + 1;
    }
    for (let i = 0; i < 8; i++) this.next();
  }

  /** Uniform in [0, 1). */
  next(): number {
    const s = this.#state;
    let t = s[3]!;
    const first = s[0]!;
    s[3] = s[2]!;
    s[2] = s[1]!;
    s[1] = first;
    t ^= t << 11;
    t ^= t >>> 8;
    s[0] = t ^ first ^ (first >>> 19);
    return s[0] / 4_294_967_296;
  }

  uniform(from: number, to: number): number {
    return from + (to - from) * this.next();
  }

  /** Standard normal (Box and Muller). */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    const angle = 2 * Math.PI * this.next();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(from: readonly [T, ...T[]] | readonly T[]): T {
    return from[Math.min(from.length - 1, Math.floor(this.next() * from.length))]!;
  }
}

/** FNV-1a, 32 bit. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}
