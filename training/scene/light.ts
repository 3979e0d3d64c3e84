import { apply, dot, normalize, type Mat3, type Vec3 } from '../../core/geometry.js';
import type { Random } from './random.js';
import { LIGHT_DIRECTIONS, type Visibility } from './visibility.js';

/** A broad light: towards it, how strong (linear RGB) and how sharply bounded. */
interface Lobe {
  readonly direction: Vec3;
  readonly color: Vec3;
  /** Concentration of the von Mises–Fisher lobe; 1 a window, 60 a lamp. */
  readonly sharpness: number;
}

/** Light that comes from everywhere far away, in the world's axes (y up). */
export interface Environment {
  readonly ambient: Vec3;
  readonly lobes: readonly Lobe[];
}

/** A room's light: an ambient part, a lamp above, windows and lamps around. */
export function randomEnvironment(random: Random): Environment {
  const tint = (warmth: number): Vec3 => [1 + 0.25 * warmth, 1, 1 - 0.35 * warmth];
  const scaled = (c: Vec3, s: number): Vec3 => [c[0] * s, c[1] * s, c[2] * s];
  const lobes: Lobe[] = [];
  const count = 1 + Math.floor(random.next() * 3);
  for (let i = 0; i < count; i++) {
    const azimuth = random.uniform(-Math.PI, Math.PI) * (i === 0 ? 0.5 : 1);
    const height = random.uniform(-0.15, 0.95);
    const radius = Math.sqrt(1 - height * height);
    lobes.push({
      direction: [radius * Math.sin(azimuth), height, radius * Math.cos(azimuth)],
      color: scaled(tint(random.uniform(-0.6, 1)), random.uniform(0.25, 1.3) / (1 + 0.5 * i)),
      sharpness: Math.exp(random.uniform(0, 3.6)),
    });
  }
  return { ambient: scaled(tint(random.uniform(-0.4, 0.6)), random.uniform(0.18, 0.6)), lobes };
}

/** A source is brighter and narrower than what a lobe says of it and its surroundings. */
const SOURCE = 6;

/**
 * Linear RGB seen when looking towards a light, 1 for what a white matt surface lit by 1 shows.
 * @param direction in the world's axes, a unit vector.
 */
export function radianceFrom({ ambient, lobes }: Environment, direction: Vec3): Vec3 {
  const out = ambient.map((value) => value * (1 + 0.35 * direction[1])) as [number, number, number];
  for (const { direction: towards, color, sharpness } of lobes) {
    const k = SOURCE * sharpness;
    // A von Mises–Fisher density times π: what it sends to a surface that faces it is its colour.
    const density = (k / (2 * (1 - Math.exp(-2 * k)))) * Math.exp(k * (dot(normalize(towards), direction) - 1)); // prettier-ignore
    for (let c = 0; c < 3; c++) out[c]! += color[c]! * density;
  }
  return out;
}

/** The environment as radiance from each of the precomputed directions, seen from the head. */
function radiance(environment: Environment, headToWorld: Mat3): Float32Array {
  const out = new Float32Array(LIGHT_DIRECTIONS.length * 3);
  const shares = environment.lobes.map(({ sharpness, direction }) => {
    const axis = normalize(direction);
    const raw = LIGHT_DIRECTIONS.map((d) =>
      Math.exp(sharpness * (dot(apply(headToWorld, d), axis) - 1)),
    );
    const sum = raw.reduce((total, value) => total + value, 0) || 1;
    return raw.map((value) => value / sum);
  });
  LIGHT_DIRECTIONS.forEach((direction, d) => {
    const up = apply(headToWorld, direction)[1];
    for (let c = 0; c < 3; c++) {
      const k = c as 0 | 1 | 2;
      // Ceilings are brighter than floors; 2 / n turns mean radiance into irradiance over π.
      let value = (environment.ambient[k] * (1 + 0.35 * up) * 4) / LIGHT_DIRECTIONS.length;
      environment.lobes.forEach((lobe, i) => (value += lobe.color[k] * shares[i]![d]!));
      out[3 * d + c] = value;
    }
  });
  return out;
}

/**
 * Linear RGB light that reaches each vertex: Lambert's cosine with the precomputed shadows.
 * A white lobe of colour 1 lights a surface that faces it by about 1. Nothing is in the shade
 * without `visibility`.
 * @param ranges which vertices to light
 */
export function lightVertices(
  environment: Environment,
  headToWorld: Mat3,
  normals: Float32Array,
  visibility: Visibility | undefined,
  ranges: readonly (readonly [from: number, to: number])[] = [[0, normals.length / 3]],
  out: Float32Array = new Float32Array(normals.length),
): Float32Array {
  const light = radiance(environment, headToWorld);
  const vertexCount = normals.length / 3;
  const bytes = visibility?.bytes;
  out.fill(0);
  for (let d = 0; d < LIGHT_DIRECTIONS.length; d++) {
    const [dx, dy, dz] = LIGHT_DIRECTIONS[d]!;
    const r = light[3 * d]! / 255;
    const g = light[3 * d + 1]! / 255;
    const b = light[3 * d + 2]! / 255;
    if (r + g + b < 2e-6) continue;
    const row = d * vertexCount;
    for (const [from, to] of ranges) {
      for (let v = from, i = 3 * from; v < to; v++, i += 3) {
        const free = bytes === undefined ? 255 : bytes[row + v]!;
        if (free === 0) continue;
        const facing = normals[i]! * dx + normals[i + 1]! * dy + normals[i + 2]! * dz;
        if (facing <= 0) continue;
        const share = facing * free;
        out[i]! += share * r;
        out[i + 1]! += share * g;
        out[i + 2]! += share * b;
      }
    }
  }
  return out;
}
