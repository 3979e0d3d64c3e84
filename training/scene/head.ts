import type { CameraCalibration } from '../../calibration/rig.js';
import type { Mat3 } from '../../core/geometry.js';
import type { Head } from '../../core/types.js';
import { projectVertices } from './camera.js';
import { EYE_SIDE, paintEye } from './eye.js';
import { SKIN_VERTICES, type HeadModel } from './head-model.js';
import { lightVertices, type Environment } from './light.js';
import type { Surface, Texture } from './rasterise.js';
import { express, identityHead, vertexNormals, type ShapeWeights } from './shape.js';
import type { Skin } from './skin.js';
import type { Visibility } from './visibility.js';

/** Centimetres, the model's unit, in metres. */
export const MODEL_UNIT = 0.01;

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
}

/** A person at one moment, lit: ready to be seen from any side. */
export interface LitHead {
  readonly person: Person;
  readonly positions: Float32Array;
  readonly light: Float32Array;
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
  lashes = 0.2,
): Person {
  const count = model.vertexCount;
  const albedo = new Float32Array(count * 3);
  albedo.set(skin.albedo);
  for (let v = SKIN_VERTICES; v < EYE_SOCKET_START; v++) albedo.set(SOCKET, 3 * v);
  for (let v = EYE_SOCKET_START; v < 14_062; v++) albedo.set([0.25, 0.11, 0.08], 3 * v);
  paint(model, albedo, 'M_GumsTongue', GUMS);
  paint(model, albedo, 'M_Teeth', TEETH);
  paint(model, albedo, 'M_EyeLashes', LASHES);
  const uv = new Float32Array(count * 2);
  for (let i = 0; i < uv.length; i++) uv[i] = model.uv[i]! * EYE_SIDE - 0.5;
  uv.set(skin.uv);
  const blend = new Float32Array(count);
  blend.set(skin.blend);
  const eye = paintEye(skin.iris);
  return { id, head: identityHead(model, identity), skin, eye, albedo, uv, blend, lashes };
}

function paint(
  model: HeadModel,
  albedo: Float32Array,
  part: string,
  color: readonly [number, number, number],
): void {
  for (const v of model.parts.get(part) ?? []) albedo.set(color, 3 * v);
}

/** Moves a person's face and lights it. `rotation`: head to world. */
export function lightHead(
  model: HeadModel,
  visibility: Visibility,
  person: Person,
  weights: ShapeWeights,
  environment: Environment,
  rotation: Mat3,
): LitHead {
  const positions = express(model, person.head, weights);
  const normals = vertexNormals(positions, model.parts.values());
  const light = lightVertices(environment, rotation, normals, visibility);
  const { gain } = person.skin;
  for (let v = 0; v < SKIN_VERTICES; v++) {
    for (let k = 0; k < 3; k++) light[3 * v + k]! *= gain[v]!;
  }
  darkenMouth(model, light, weights);
  return { person, positions, light };
}

/** The shadows inside the mouth were cast with it wide open: a smaller gap lets less light in. */
function darkenMouth(model: HeadModel, light: Float32Array, weights: ShapeWeights): void {
  const parted = ['mouthUpperUp_L', 'mouthLowerDown_L', 'mouthSmile_L', 'mouthFunnel'];
  const opening =
    (weights['jawOpen'] ?? 0) + parted.reduce((sum, name) => sum + 0.35 * (weights[name] ?? 0), 0);
  const factor = Math.min(1, 0.25 + 1.1 * opening);
  for (const part of ['M_GumsTongue', 'M_Teeth']) {
    const vertices = new Set(model.parts.get(part));
    for (const v of vertices) for (let k = 0; k < 3; k++) light[3 * v + k]! *= factor;
  }
}

/** The head's surfaces as one camera sees them. */
export function headSurfaces(
  model: HeadModel,
  { person, positions, light }: LitHead,
  place: Head,
  camera: CameraCalibration,
  samplesPerPixel: number,
): Surface[] {
  const screen = projectVertices(camera, place, positions, MODEL_UNIT, samplesPerPixel);
  const { albedo, uv, blend, skin, eye, lashes } = person;
  const base = { screen, light, albedo };
  const part = (name: string): Uint32Array => model.parts.get(name) ?? new Uint32Array();
  const skinTexture = { image: skin.photo, uv, blend };
  const eyeTexture = { image: eye, uv };
  return [
    { ...base, triangles: part('M_Face'), texture: skinTexture },
    { ...base, triangles: part('M_BackHead'), texture: skinTexture },
    { ...base, triangles: part('M_ScleraLeft'), texture: eyeTexture },
    { ...base, triangles: part('M_ScleraRight'), texture: eyeTexture },
    { ...base, triangles: part('M_GumsTongue') },
    { ...base, triangles: part('M_Teeth') },
    { ...base, triangles: part('M_EyeLashes'), twoSided: true, veil: lashes },
  ];
}
