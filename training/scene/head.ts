import type { CameraCalibration } from '../../calibration/rig.js';
import { apply, IDENTITY3, type Mat3 } from '../../core/geometry.js';
import type { Head } from '../../core/types.js';
import { projectVertices } from './camera.js';
import { SKIN_VERTICES, type HeadModel } from './head-model.js';
import type { HairStyle } from './hair.js';
import { lightVertices, type Environment } from './light.js';
import { mirrored } from './lens.js';
import { meshPoint } from './mesh468.js';
import { unfold } from './brow-fold.js';
import type { Solid } from './loft.js';
import type { Person } from './person.js';
import type { Surface } from './rasterise.js';
import { express, vertexNormals, type ShapeWeights } from './shape.js';
import type { Visibility } from './visibility.js';

/** Centimetres, the model's unit, in metres. */
export const MODEL_UNIT = 0.01;

/** A person at one moment, lit: ready to be seen from any side. */
export interface LitHead {
  readonly person: Person;
  readonly positions: Float32Array;
  readonly light: Float32Array;
  /** 0–1 a vertex: how far the portrait shows what is there. */
  readonly blend: Float32Array;
  readonly hair?: { readonly positions: Float32Array; readonly light: Float32Array };
  /** Torso, glasses' frame and what is held. */
  readonly worn: readonly LitSolid[];
  readonly environment: Environment;
}

interface LitSolid {
  readonly solid: Solid;
  readonly positions: Float32Array;
  readonly light: Float32Array;
}

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

/** How a person holds face, head and hands at one moment. */
export interface Bearing {
  readonly shapes: ShapeWeights;
  /** Head to world. */
  readonly rotation: Mat3;
  /** Torso to head: how the body is turned against the head. */
  readonly neck: Mat3;
  /** What is held before the face, in head axes. */
  readonly held?: readonly Solid[];
}

/** Moves a person's face and lights it. */
export function lightHead(
  model: HeadModel,
  visibility: Visibility,
  person: Person,
  { shapes, rotation, neck, held = [] }: Bearing,
  environment: Environment,
): LitHead {
  const positions = express(model, person.head, shapes);
  const blend = unfold(model, person.blend, person.head, positions);
  bendNeck(positions, neck, SKIN_VERTICES);
  const normals = vertexNormals(
    positions,
    DRAWN.map((name) => model.parts.get(name) ?? new Uint32Array()),
  );
  const opening = mouthOpening(positions);
  const ranges = opening > 0.02 ? [...OUTSIDE, MOUTH] : OUTSIDE;
  const light = lightVertices(environment, rotation, normals, visibility, ranges);
  const { gain } = person.skin;
  for (let v = 0; v < SKIN_VERTICES; v++) {
    for (let k = 0; k < 3; k++) light[3 * v + k]! *= gain[v]!;
  }
  if (opening > 0.02) lightMouth(model, light, opening);
  const { torso, glasses, hair } = person;
  const stiff = glasses === undefined ? held : [glasses.frame, ...held];
  const worn = [
    lightSolid(torso, environment, rotation, neck),
    ...stiff.map((solid) => lightSolid(solid, environment, rotation)),
  ];
  const lit = { person, positions, light, blend, worn, environment };
  if (hair === undefined) return lit;
  const ridden = rideHair(hair, person.head, positions);
  return {
    ...lit,
    hair: { positions: ridden, light: lightHair(hair.style, ridden, light, environment, rotation) },
  };
}

/** Lights a painted body in head axes; what lies below the chin turns with the neck. */
export function lightSolid(
  solid: Solid,
  environment: Environment,
  rotation: Mat3,
  neck: Mat3 = IDENTITY3,
): LitSolid {
  const positions = Float32Array.from(solid.positions);
  bendNeck(positions, neck, positions.length / 3);
  const normals = vertexNormals(positions, [solid.triangles]);
  return { solid, positions, light: lightVertices(environment, rotation, normals, undefined) };
}

/** Hair over skin above the lids moves with it, what hangs below stays: brows begin a centimetre higher. */
const FOREHEAD_FROM_CM = 4.5;

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

/** A fringe lies on the forehead and moves with it; or raised brows would pierce it. */
function rideHair(
  { style, positions }: NonNullable<Person['hair']>,
  head: Float32Array,
  moved: Float32Array,
): Float32Array {
  const out = Float32Array.from(positions);
  style.anchors.forEach((anchor, v) => {
    if (head[3 * anchor + 1]! < FOREHEAD_FROM_CM) return;
    for (let k = 0; k < 3; k++) out[3 * v + k]! += moved[3 * anchor + k]! - head[3 * anchor + k]!;
  });
  return out;
}

/** Hair is lit by its own shape, shaded as the skin below it. */
function lightHair(
  style: HairStyle,
  positions: Float32Array,
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

/** Middle of the upper and of the lower lip's inner edge. */
const INNER_LIPS = [13, 14] as const;
/** Lips so far apart let in as much light as a mouth wide open. */
const WIDE_CM = 2.2;
/** They lie so far apart where lips touch: the line of the mesh is inside the red. */
const CLOSED_CM = 0.08;

/** 0 for lips that touch, 1 for a mouth wide open: many movements part lips, a wrinkled nose too. */
function mouthOpening(positions: Float32Array): number {
  const [upper, lower] = INNER_LIPS.map((i) => meshPoint(positions, i));
  return Math.min(1, Math.max(0, upper![1] - lower![1] - CLOSED_CM) / WIDE_CM);
}

/** A lit body as one camera sees it. */
export function solidSurface(
  { solid, positions, light }: LitSolid,
  place: Head,
  camera: CameraCalibration,
  samplesPerPixel: number,
): Surface {
  return {
    triangles: solid.triangles,
    screen: projectVertices(camera, place, positions, MODEL_UNIT, samplesPerPixel),
    light,
    albedo: positions.map((_, i) => solid.color[i % 3] ?? 0),
    twoSided: true,
  };
}

/** The head's surfaces as one camera sees them. */
export function headSurfaces(
  model: HeadModel,
  { person, positions, light, blend, hair: lit, worn, environment }: LitHead,
  place: Head,
  camera: CameraCalibration,
  samplesPerPixel: number,
): Surface[] {
  const screen = projectVertices(camera, place, positions, MODEL_UNIT, samplesPerPixel);
  const { albedo, uv, skin, eye, lashes } = person;
  const base = { screen, light, albedo };
  const part = (name: string): Uint32Array => model.parts.get(name) ?? new Uint32Array();
  const skinTexture = { image: skin.photo, uv, blend };
  const eyeTexture = { image: eye, uv };
  const extra: Surface[] = [];
  const { hair } = person;
  if (hair !== undefined && lit !== undefined) {
    extra.push({
      triangles: hair.style.triangles,
      screen: projectVertices(camera, place, lit.positions, MODEL_UNIT, samplesPerPixel),
      light: lit.light,
      albedo: lit.light,
      texture: { image: hair.strands, uv: hair.uv },
      twoSided: true,
    });
  }
  for (const body of worn) extra.push(solidSurface(body, place, camera, samplesPerPixel));
  if (person.glasses !== undefined) {
    const { lenses } = person.glasses;
    const room = mirrored(lenses, environment, place, camera, MODEL_UNIT);
    extra.push({
      triangles: lenses.triangles,
      screen: projectVertices(camera, place, lenses.positions, MODEL_UNIT, samplesPerPixel),
      light: room,
      albedo: room,
      twoSided: true,
      veil: lenses.reflectance,
    });
  }
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
