import { join } from 'node:path';
import { SKIN_VERTICES, type HeadModel } from './head-model.js';
import { parseObj, readText } from './obj.js';
import type { Random } from './random.js';
import type { Texture } from './rasterise.js';

/** Hair that lies on the mean head; it follows the skin below it on everybody else's. */
export interface HairStyle {
  readonly name: string;
  readonly positions: Float32Array;
  readonly triangles: Uint32Array;
  /** Texture coordinates a vertex, 0–1. */
  readonly uv: Float32Array;
  /** For each hair vertex the skin vertex below it. */
  readonly anchors: Uint32Array;
}

/**
 * MakeHuman's hair meshes (decimetres, each on its own body) and where they go on the head model,
 * in centimetres. Found by looking.
 */
const STYLES: readonly (readonly [name: string, y: number, z: number])[] = [
  ['afro01', -69.5, -4.6],
  ['bob01', -64.1, -4.4],
  ['bob02', -64.1, -4.4],
  ['braid01', -64.1, -4.4],
  ['long01', -64.1, -4.4],
  ['ponytail01', -64.1, -4.4],
  ['short01', -79.4, -6.4],
  ['short02', -79.2, -6.4],
  ['short03', -64.1, -4.4],
  ['short04', -69.9, -4.0],
];
const DECIMETRE = 10;
const THICKNESS_CM = 0.5;

/** Reads the styles that are there; an empty list where the folder has none. */
export async function readHair(model: HeadModel, dir: string): Promise<HairStyle[]> {
  const styles: HairStyle[] = [];
  for (const [name, y, z] of STYLES) {
    const mesh = parseObj(await readText(join(dir, `${name}.obj`)));
    const positions = mesh.positions.map((value, i) => value * DECIMETRE + [0, y, z][i % 3]!);
    const triangles = [...mesh.parts.values()].flatMap((part) => [...part]);
    trimFringe(positions);
    const anchors = settle(model, positions);
    styles.push({ name, positions, triangles: Uint32Array.from(triangles), uv: mesh.uv, anchors });
  }
  return styles;
}

/** Fringes end above the brows: no style may hide the eyes by itself. */
function trimFringe(positions: Float32Array): void {
  for (let v = 0; v < positions.length; v += 3) {
    const [x, y, z] = [positions[v]!, positions[v + 1]!, positions[v + 2]!];
    // Towards the temples the hair line comes down.
    const side = Math.max(0, Math.abs(x) - 5) * 2.5;
    const line = 7.4 - side * side + 0.15 * Math.sin(9 * x);
    if (z > 5.5 && y > -9 && y < line && Math.abs(x) < 7.2) positions[v + 1] = line;
  }
}

/** Finds the skin below each hair vertex and lifts what would lie inside the head. */
function settle(model: HeadModel, hair: Float32Array): Uint32Array {
  const anchors = new Uint32Array(hair.length / 3);
  const centre = [0, 4, 0] as const;
  const below = Array.from({ length: SKIN_VERTICES }, (_, s) => s).filter(
    (s) => s % 2 === 0 && model.neutral[3 * s + 2]! < 11,
  );
  for (let v = 0; v < anchors.length; v++) {
    const [x, y, z] = [hair[3 * v]!, hair[3 * v + 1]!, hair[3 * v + 2]!];
    let best = Infinity;
    for (const s of below) {
      const distance =
        (model.neutral[3 * s]! - x) ** 2 +
        (model.neutral[3 * s + 1]! - y) ** 2 +
        (model.neutral[3 * s + 2]! - z) ** 2;
      if (distance >= best) continue;
      best = distance;
      anchors[v] = s;
    }
    if (y < -4) continue;
    const s = 3 * anchors[v]!;
    const from = (p: Float32Array, at: number): number =>
      Math.hypot(p[at]! - centre[0], p[at + 1]! - centre[1], p[at + 2]! - centre[2]);
    const wanted = from(model.neutral, s) + THICKNESS_CM;
    const actual = from(hair, 3 * v);
    if (actual >= wanted) continue;
    for (let k = 0; k < 3; k++) {
      hair[3 * v + k] = centre[k]! + ((hair[3 * v + k]! - centre[k]!) * wanted) / actual;
    }
  }
  return anchors;
}

/** The style on a person's neutral head. */
export function fitHair(model: HeadModel, style: HairStyle, head: Float32Array): Float32Array {
  const out = Float32Array.from(style.positions);
  style.anchors.forEach((anchor, v) => {
    for (let k = 0; k < 3; k++)
      out[3 * v + k]! += head[3 * anchor + k]! - model.neutral[3 * anchor + k]!;
  });
  return out;
}

const STRANDS = 256;

/** Strands: brightness that changes quickly across and slowly along. */
export function paintHair(random: Random, color: readonly [number, number, number]): Texture {
  const data = new Float32Array(STRANDS * STRANDS * 3);
  const waves = Array.from({ length: 7 }, () => ({
    across: random.uniform(15, 110),
    along: random.uniform(-3, 3),
    phase: random.uniform(0, 6.28),
  }));
  for (let y = 0; y < STRANDS; y++) {
    for (let x = 0; x < STRANDS; x++) {
      let sum = 0;
      for (const { across, along, phase } of waves) {
        sum += Math.sin((across * 6.28 * x + along * 6.28 * y) / STRANDS + phase);
      }
      const shade = Math.exp(0.13 * sum);
      for (let k = 0; k < 3; k++) data[3 * (y * STRANDS + x) + k] = color[k]! * shade;
    }
  }
  return { width: STRANDS, height: STRANDS, data };
}

/** Black to blond, red and grey; linear RGB. */
export function randomHairColor(random: Random): [number, number, number] {
  const tones: readonly (readonly [number, number, number])[] = [
    [0.012, 0.009, 0.008],
    [0.035, 0.02, 0.012],
    [0.08, 0.045, 0.025],
    [0.16, 0.09, 0.045],
    [0.36, 0.24, 0.12],
    [0.2, 0.07, 0.03],
    [0.3, 0.29, 0.28],
  ];
  const tone = random.pick(tones);
  const factor = Math.exp(0.25 * random.normal());
  return [tone[0] * factor, tone[1] * factor, tone[2] * factor];
}
