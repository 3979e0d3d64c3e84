import type { CameraCalibration } from '../../calibration/rig.js';
import { apply, IDENTITY3, type Mat3 } from '../../core/geometry.js';
import type { Head } from '../../core/types.js';
import { projectVertices } from './camera.js';
import { EYE_SIDE, paintEye } from './eye.js';
import { SKIN_VERTICES, type HeadModel } from './head-model.js';
import { lightVertices, type Environment } from './light.js';
import { fitHair, type HairStyle } from './hair.js';
import type { Surface, Texture } from './rasterise.js';
import { express, identityHead, vertexNormals, type ShapeWeights } from './shape.js';
import type { Torso } from './torso.js';
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
  readonly hair?: {
    readonly style: HairStyle;
    readonly positions: Float32Array;
    readonly uv: Float32Array;
    readonly strands: Texture;
  };
  readonly torso: Torso;
}

/** How a person looks beyond shape and skin. */
export interface Looks {
  readonly lashes: number;
  readonly hair?: { readonly style: HairStyle; readonly strands: Texture };
  readonly torso: Torso;
}

/** A person at one moment, lit: ready to be seen from any side. */
export interface LitHead {
  readonly person: Person;
  readonly positions: Float32Array;
  readonly light: Float32Array;
  readonly hairLight?: Float32Array;
  readonly torsoPositions: Float32Array;
  readonly torsoLight: Float32Array;
}

const TEETH = [0.6, 0.55, 0.46] as const;
const GUMS = [0.33, 0.1, 0.09] as const;
const SOCKET = [0.12, 0.03, 0.025] as const;
const LASHES = [0.02, 0.015, 0.012] as const;
const EYE_SOCKET_START = 13_294;
const TEETH_START = 17_039;

/** Parts that are drawn lit. */
const DRAWN = ['M_Face', 'M_BackHead', 'M_ScleraLeft', 'M_ScleraRight', 'M_GumsTongue', 'M_Teeth'];
/** Vertices of skin with mouth and eye sockets, of the eyeballs; of gums and teeth. */
const OUTSIDE: readonly (readonly [number, number])[] = [
  [0, 14_062],
  [21_451, 22_221],
  [23_021, 23_791],
];
const MOUTH: readonly [number, number] = [14_062, 21_451];

/** Gives an identity a skin. */
export function makePerson(
  model: HeadModel,
  id: string,
  skin: Skin,
  identity: readonly number[],
  { lashes, hair, torso }: Looks,
): Person {
  const count = model.vertexCount;
  const albedo = new Float32Array(count * 3);
  albedo.set(skin.albedo);
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
  const person = { id, head, skin, eye, albedo, uv, blend, lashes, torso };
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

function dress(model: HeadModel, albedo: Float32Array, torso: Torso): void {
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

/**
 * Moves a person's face and lights it.
 * @param rotation head to world
 * @param neck torso to head: how the body is turned against the head
 */
export function lightHead(
  model: HeadModel,
  visibility: Visibility,
  person: Person,
  weights: ShapeWeights,
  environment: Environment,
  rotation: Mat3,
  neck: Mat3 = IDENTITY3,
): LitHead {
  const positions = express(model, person.head, weights);
  bendNeck(positions, neck, SKIN_VERTICES);
  const torsoPositions = Float32Array.from(person.torso.positions);
  bendNeck(torsoPositions, neck, torsoPositions.length / 3);
  const normals = vertexNormals(
    positions,
    DRAWN.map((name) => model.parts.get(name) ?? new Uint32Array()),
  );
  const opening = mouthOpening(weights);
  const ranges = opening > 0.02 ? [...OUTSIDE, MOUTH] : OUTSIDE;
  const light = lightVertices(environment, rotation, normals, visibility, ranges);
  const { gain } = person.skin;
  for (let v = 0; v < SKIN_VERTICES; v++) {
    for (let k = 0; k < 3; k++) light[3 * v + k]! *= gain[v]!;
  }
  if (opening > 0.02) lightMouth(model, light, opening);
  const torso = person.torso;
  const torsoNormals = vertexNormals(torsoPositions, [torso.triangles]);
  const torsoLight = lightVertices(environment, rotation, torsoNormals, undefined);
  if (person.hair === undefined) return { person, positions, torsoPositions, light, torsoLight };
  return {
    person,
    positions,
    torsoPositions,
    light,
    torsoLight,
    hairLight: lightHair(person.hair, light, environment, rotation),
  };
}

const NECK_CM = [0, -5.5, -1.5] as const;

/** Turns what lies below the chin with the body; the neck bends between. */
function bendNeck(positions: Float32Array, neck: Mat3, count: number): void {
  if (neck === IDENTITY3) return;
  for (let v = 0; v < 3 * count; v += 3) {
    const t = Math.min(1, Math.max(0, (-5 - positions[v + 1]! + 0.25 * positions[v + 2]!) / 7));
    if (t === 0) continue;
    const share = t * t * (3 - 2 * t);
    const from = [0, 1, 2].map((k) => positions[v + k]! - NECK_CM[k]!) as [number, number, number];
    const turned = apply(neck, from);
    for (let k = 0; k < 3; k++) positions[v + k]! += share * (turned[k]! - from[k]!);
  }
}

/** Hair is lit by its own shape, shaded as the skin below it. */
function lightHair(
  { style, positions }: NonNullable<Person['hair']>,
  skinLight: Float32Array,
  environment: Environment,
  rotation: Mat3,
): Float32Array {
  const normals = vertexNormals(positions, [style.triangles]);
  for (let v = 0; v < normals.length; v += 3) {
    const out =
      normals[v]! * positions[v]! +
      normals[v + 1]! * (positions[v + 1]! - 4) +
      normals[v + 2]! * positions[v + 2]!;
    if (out < 0) for (let k = 0; k < 3; k++) normals[v + k]! *= -1;
  }
  const light = lightVertices(environment, rotation, normals, undefined);
  style.anchors.forEach((anchor, v) => {
    for (let k = 0; k < 3; k++)
      light[3 * v + k] = 0.55 * light[3 * v + k]! + 0.45 * skinLight[3 * anchor + k]!;
  });
  return light;
}

const LIPS: readonly number[] = [0, 5518, 2081, 4275];

/**
 * Shadows inside the mouth were cast with it wide open: a smaller gap lets less light in. Teeth
 * take part of what falls on the lips, as they are wet and pass light on.
 */
function lightMouth(model: HeadModel, light: Float32Array, opening: number): void {
  const lips = [0, 1, 2].map(
    (k) => LIPS.reduce((sum, lip) => sum + light[3 * lip + k]!, 0) / LIPS.length,
  );
  const factor = Math.min(1, 0.35 + 1.2 * opening);
  const [from, to] = MOUTH;
  for (let v = from; v < to; v++) {
    const share = v < TEETH_START ? 0.25 : 0.75;
    const front = Math.min(1, Math.max(0.1, (model.neutral[3 * v + 2]! - 7) / 3));
    for (let k = 0; k < 3; k++) {
      const shaded = (1 - share) * light[3 * v + k]! + share * front * lips[k]!;
      light[3 * v + k] = factor * shaded;
    }
  }
}

function mouthOpening(weights: ShapeWeights): number {
  const parted = ['mouthUpperUp_L', 'mouthLowerDown_L', 'mouthSmile_L', 'mouthFunnel'];
  return (
    (weights['jawOpen'] ?? 0) + parted.reduce((sum, name) => sum + 0.35 * (weights[name] ?? 0), 0)
  );
}

/** The head's surfaces as one camera sees them. */
export function headSurfaces(
  model: HeadModel,
  { person, positions, torsoPositions, light, hairLight, torsoLight }: LitHead,
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
  const extra: Surface[] = [];
  const { hair, torso } = person;
  if (hair !== undefined && hairLight !== undefined) {
    extra.push({
      triangles: hair.style.triangles,
      screen: projectVertices(camera, place, hair.positions, MODEL_UNIT, samplesPerPixel),
      light: hairLight,
      albedo: hairLight,
      texture: { image: hair.strands, uv: hair.uv },
      twoSided: true,
    });
  }
  const cloth = torsoPositions.map((_, i) => torso.color[i % 3] ?? 0);
  extra.push({
    triangles: torso.triangles,
    screen: projectVertices(camera, place, torsoPositions, MODEL_UNIT, samplesPerPixel),
    light: torsoLight,
    albedo: cloth,
    twoSided: true,
  });
  return [
    ...extra,
    { ...base, triangles: part('M_Face'), texture: skinTexture },
    { ...base, triangles: part('M_BackHead'), texture: skinTexture },
    { ...base, triangles: part('M_ScleraLeft'), texture: eyeTexture },
    { ...base, triangles: part('M_ScleraRight'), texture: eyeTexture },
    { ...base, triangles: part('M_GumsTongue') },
    { ...base, triangles: part('M_Teeth') },
    { ...base, triangles: part('M_EyeLashes'), twoSided: true, veil: lashes },
  ];
}
