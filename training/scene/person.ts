import { paintFolds } from './brow-fold.js';
import { EYE_SIDE, paintEye } from './eye.js';
import type { Glasses } from './glasses.js';
import type { HairStyle } from './hair.js';
import { fitHair } from './hair.js';
import { SKIN_VERTICES, type HeadModel } from './head-model.js';
import type { Solid } from './loft.js';
import type { Texture } from './rasterise.js';
import { identityHead } from './shape.js';
import type { Skin } from './skin.js';

/** A person to draw: a neutral head with colours. */
export interface Person {
  readonly id: string;
  readonly head: Float32Array;
  readonly skin: Skin;
  readonly eye: Texture;
  readonly albedo: Float32Array;
  readonly uv: Float32Array;
  readonly blend: Float32Array;
  /** 0.05–0.35: how much the lashes hide. */
  readonly lashes: number;
  readonly hair?: {
    readonly style: HairStyle;
    readonly positions: Float32Array;
    readonly uv: Float32Array;
    readonly strands: Texture;
  };
  readonly torso: Solid;
  readonly glasses?: Glasses;
}

/** How a person looks beyond shape and skin. */
export interface Looks {
  readonly lashes: number;
  readonly hair?: { readonly style: HairStyle; readonly strands: Texture };
  readonly torso: Solid;
  readonly glasses?: Glasses;
}

const TEETH = [0.6, 0.55, 0.46] as const;
const GUMS = [0.33, 0.1, 0.09] as const;
const SOCKET = [0.12, 0.03, 0.025] as const;
const LASHES = [0.02, 0.015, 0.012] as const;
const EYE_SOCKET_START = 13_294;

/** Gives an identity a skin. */
export function makePerson(
  model: HeadModel,
  id: string,
  skin: Skin,
  identity: readonly number[],
  { lashes, hair, torso, glasses }: Looks,
): Person {
  const count = model.vertexCount;
  const albedo = new Float32Array(count * 3);
  albedo.set(skin.albedo);
  paintFolds(model, albedo, skin.tone);
  for (let v = SKIN_VERTICES; v < EYE_SOCKET_START; v++) albedo.set(SOCKET, 3 * v);
  for (let v = EYE_SOCKET_START; v < 14_062; v++) albedo.set([0.25, 0.11, 0.08], 3 * v);
  paint(model, albedo, 'M_GumsTongue', GUMS);
  paint(model, albedo, 'M_Teeth', TEETH);
  paint(model, albedo, 'M_EyeLashes', LASHES);
  dress(model, albedo, torso);
  const uv = new Float32Array(count * 2);
  for (let i = 0; i < uv.length; i++) uv[i] = model.uv[i]! * EYE_SIDE - 0.5;
  uv.set(skin.uv);
  const blend = new Float32Array(count);
  blend.set(skin.blend);
  for (const v of clothed(model)) blend[v] = 0;
  const eye = paintEye(skin.iris);
  const head = identityHead(model, identity);
  skin.fit.displacement.forEach((value, i) => (head[i]! += value));
  const worn = glasses === undefined ? { torso } : { torso, glasses };
  const person = { id, head, skin, eye, albedo, uv, blend, lashes, ...worn };
  if (hair === undefined) return person;
  const positions = fitHair(model, hair.style, head);
  const { style, strands } = hair;
  for (let v = 0; v < SKIN_VERTICES; v++) {
    // Under a wig the scalp takes the hair's colour.
    const covered = model.neutral[3 * v + 1]! > 4 && model.neutral[3 * v + 2]! < 4.5;
    if (!covered || Math.abs(model.neutral[3 * v]!) > 8) continue;
    albedo.set(strands.data.subarray(0, 3), 3 * v);
    blend[v] = 0;
  }
  const hairUv = style.uv.map((value) => value * (strands.width - 1));
  return { ...person, hair: { style, positions, uv: hairUv, strands } };
}

/** The model's bust ends in shoulders: what lies outside a collar is clothed like the torso. */
function clothed(model: HeadModel): number[] {
  const { neutral } = model;
  return Array.from({ length: SKIN_VERTICES }, (_, v) => v).filter((v) => {
    const [x, y, z] = [neutral[3 * v]!, neutral[3 * v + 1]!, neutral[3 * v + 2]!];
    return (
      y < -7.5 && Math.hypot(x * 0.92, z + 0.5) > 6 + Math.max(0, z) * 0.45 && (z < 5 || y < -15)
    );
  });
}

function dress(model: HeadModel, albedo: Float32Array, torso: Solid): void {
  for (const v of clothed(model)) albedo.set(torso.color, 3 * v);
}

function paint(
  model: HeadModel,
  albedo: Float32Array,
  part: string,
  color: readonly [number, number, number],
): void {
  for (const v of model.parts.get(part) ?? []) albedo.set(color, 3 * v);
}
