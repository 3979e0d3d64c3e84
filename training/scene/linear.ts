/**
 * Solves the symmetric positive definite system A x = b in place (Cholesky); A is n × n row-major.
 * A tiny ridge keeps rank-deficient systems solvable.
 */
function solveSymmetric(a: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= a[i * n + k]! * a[j * n + k]!;
      a[i * n + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / a[j * n + j]!;
    }
  }
  const x = Float64Array.from(b);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i]! -= a[i * n + k]! * x[k]!;
    x[i]! /= a[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= a[k * n + i]! * x[k]!;
    x[i]! /= a[i * n + i]!;
  }
  return x;
}

/** Least squares: rows of (coefficients, target, weight) over n unknowns plus a ridge. */
export class LeastSquares {
  readonly #a: Float64Array;
  readonly #b: Float64Array;

  constructor(readonly unknowns: number) {
    this.#a = new Float64Array(unknowns * unknowns);
    this.#b = new Float64Array(unknowns);
  }

  add(row: ArrayLike<number>, target: number, weight: number): void {
    const n = this.unknowns;
    for (let i = 0; i < n; i++) {
      const scaled = weight * row[i]!;
      if (scaled === 0) continue;
      this.#b[i]! += scaled * target;
      for (let j = 0; j <= i; j++) this.#a[i * n + j]! += scaled * row[j]!;
    }
  }

  solve(ridge: number): Float64Array {
    const a = Float64Array.from(this.#a);
    for (let i = 0; i < this.unknowns; i++) a[i * this.unknowns + i]! += ridge;
    return solveSymmetric(a, Float64Array.from(this.#b));
  }
}
