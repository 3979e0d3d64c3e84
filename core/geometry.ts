/** Small fixed-size linear algebra on plain arrays: 3-vectors and row-major 3 × 3 matrices. */
export type Vec3 = readonly [number, number, number];
export type Mat3 = readonly [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];

export const IDENTITY3: Mat3 = [1, 0, 0, 0, 1, 0, 0, 0, 1];

export const add = (a: Vec3, b: Vec3): Vec3 => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
export const subtract = (a: Vec3, b: Vec3): Vec3 => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
export const scale = (a: Vec3, s: number): Vec3 => [a[0] * s, a[1] * s, a[2] * s];
export const dot = (a: Vec3, b: Vec3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
// Math.hypot guards against overflow that metres and pixels never reach, at ten times the cost.
export const norm = (a: Vec3): number => Math.sqrt(dot(a, a));
export const cross = (a: Vec3, b: Vec3): Vec3 => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];

/** a / |a|; the zero vector stays zero. */
export function normalize(a: Vec3): Vec3 {
  const length = norm(a);
  return length > 0 ? scale(a, 1 / length) : a;
}

export const apply = (m: Mat3, v: Vec3): Vec3 => [
  m[0] * v[0] + m[1] * v[1] + m[2] * v[2],
  m[3] * v[0] + m[4] * v[1] + m[5] * v[2],
  m[6] * v[0] + m[7] * v[1] + m[8] * v[2],
];

export const transpose = (m: Mat3): Mat3 => [m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]];

export function multiply(a: Mat3, b: Mat3): Mat3 {
  const column = (j: 0 | 1 | 2): Vec3 => apply(a, [b[j], b[(3 + j) as 3], b[(6 + j) as 6]]);
  const [x, y, z] = [column(0), column(1), column(2)];
  return [x[0], y[0], z[0], x[1], y[1], z[1], x[2], y[2], z[2]];
}

export const toRadians = (degrees: number): number => (degrees * Math.PI) / 180;
export const toDegrees = (radians: number): number => (radians * 180) / Math.PI;

/** Rotation matrix of a rotation vector (axis × angle in radians); Rodrigues' formula. */
export function rotationFromVector(v: Vec3): Mat3 {
  const angle = norm(v);
  if (angle < 1e-12) return IDENTITY3;
  const [x, y, z] = scale(v, 1 / angle);
  const c = Math.cos(angle);
  const s = Math.sin(angle);
  const t = 1 - c;
  return [
    t * x * x + c, t * x * y - s * z, t * x * z + s * y,
    t * x * y + s * z, t * y * y + c, t * y * z - s * x,
    t * x * z - s * y, t * y * z + s * x, t * z * z + c,
  ]; // prettier-ignore
}

/** Angle in degrees of the rotation that takes `a` to `b`. */
export function rotationAngleDeg(a: Mat3, b: Mat3): number {
  let trace = 0;
  for (let i = 0; i < 9; i++) trace += a[i]! * b[i]!;
  return toDegrees(Math.acos(Math.min(1, Math.max(-1, (trace - 1) / 2))));
}

/**
 * The rotation nearest to a sum of rotations: Newton's iteration for the polar factor,
 * M ← (M + M⁻ᵀ) / 2 (Higham 1986). Undefined where the sum is (nearly) singular.
 */
export function nearestRotation(sum: Mat3): Mat3 | undefined {
  let m = sum;
  for (let step = 0; step < 30; step++) {
    const [a, b, c]: Vec3[] = [[m[0], m[1], m[2]], [m[3], m[4], m[5]], [m[6], m[7], m[8]]]; // prettier-ignore
    const determinant = dot(a!, cross(b!, c!));
    if (!(determinant > 1e-9)) return undefined;
    const cofactors = [...cross(b!, c!), ...cross(c!, a!), ...cross(a!, b!)];
    const next = m.map((value, i) => (value + cofactors[i]! / determinant) / 2) as unknown as Mat3;
    const change = next.reduce((most, value, i) => Math.max(most, Math.abs(value - m[i]!)), 0);
    m = next;
    if (change < 1e-12) break;
  }
  return m;
}
