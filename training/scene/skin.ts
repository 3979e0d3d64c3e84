import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { z } from 'zod';
import { ClmexError } from '../../core/errors.js';
import { SRGB_TO_LINEAR } from './color.js';
import { SKIN_VERTICES, type HeadModel } from './head-model.js';
import { IRIS_POINTS } from './photo-landmarks.js';
import type { Texture } from './rasterise.js';
import { fitPhoto, type PhotoFit } from './skin-fit.js';
import { smoothStep } from './smooth.js';

/** A person's skin, taken from one portrait. */
export interface Skin {
  readonly photo: Texture;
  /** Where each skin vertex lies in `photo`, pixels. */
  readonly uv: Float32Array;
  /** 0–1 a skin vertex: how well the portrait shows it. */
  readonly blend: Float32Array;
  /** Linear RGB a skin vertex; where the portrait shows nothing, spread from where it does. */
  readonly albedo: Float32Array;
  /** Factor a skin vertex that undoes the portrait's own shading. */
  readonly gain: Float32Array;
  readonly iris: readonly [number, number, number];
  /** Of the cheeks, linear RGB. */
  readonly tone: readonly [number, number, number];
  /** The portrait's own hair where it can be told from skin; linear RGB. */
  readonly hairTone: readonly [number, number, number] | undefined;
  readonly fit: PhotoFit;
}

type Point = readonly [number, number];
const landmarkFile = z.record(z.string(), z.array(z.tuple([z.number(), z.number()])));

/** The landmarks of every neutral portrait by person id ("001"), relative x y. */
export async function readPortraitLandmarks(dir: string): Promise<Map<string, Point[]>> {
  const path = join(dir, 'landmarks189.json');
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ClmexError('not-found', 'cannot read the portraits', {
      field: 'data',
      value: path,
      cause,
    });
  });
  const entries = Object.entries(landmarkFile.parse(JSON.parse(text)));
  return new Map(entries.map(([name, points]) => [name.replace('neutral/', ''), points]));
}

/** Projects a portrait onto the head. `landmarks`: 189 points, relative to the picture's size. */
export async function readSkin(
  model: HeadModel,
  path: string,
  landmarks: readonly Point[],
): Promise<Skin> {
  const { data, info } = await sharp(path)
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  const linear = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) linear[i] = SRGB_TO_LINEAR[data[i]!]!;
  const photo: Texture = { width, height, data: linear };
  const pixels = landmarks.map(([x, y]): Point => [x * width, y * height]);
  const fit = fitPhoto(model, pixels);
  const blend = portraitWeights(model, fit, photo);
  const albedo = new Float32Array(SKIN_VERTICES * 3);
  for (let v = 0; v < SKIN_VERTICES; v++) {
    albedo.set(texel(photo, fit.points[2 * v]!, fit.points[2 * v + 1]!), 3 * v);
  }
  rejectSides(model, albedo, blend);
  spread(model, albedo, blend);
  const tone = cheekTone(model, albedo, blend);
  return {
    photo,
    uv: fit.points,
    blend,
    albedo,
    gain: shadingGain(albedo, blend, fit.normals),
    iris: irisColor(photo, pixels),
    tone,
    hairTone: ownHair(topTone(model, albedo, blend), tone),
    fit,
  };
}

function texel({ width, height, data }: Texture, x: number, y: number): [number, number, number] {
  const column = Math.min(width - 1, Math.max(0, Math.round(x)));
  const row = Math.min(height - 1, Math.max(0, Math.round(y)));
  const at = 3 * (row * width + column);
  return [data[at]!, data[at + 1]!, data[at + 2]!];
}

/** Facing the camera, not behind other skin, not the backdrop, inside the picture. */
function portraitWeights(
  model: HeadModel,
  { points, normals, pose }: PhotoFit,
  photo: Texture,
): Float32Array {
  const nearest = new Map<number, number>();
  const cell = (v: number): number =>
    Math.round(points[2 * v]! / pose.scale / 0.25) * 4096 +
    Math.round(points[2 * v + 1]! / pose.scale / 0.25);
  for (let v = 0; v < SKIN_VERTICES; v++) {
    if (normals[3 * v + 2]! > 0.1)
      nearest.set(cell(v), Math.max(nearest.get(cell(v)) ?? -99, model.neutral[3 * v + 2]!));
  }
  const backdrop = meanOf([texel(photo, 4, 4), texel(photo, photo.width - 5, 4)]);
  const weights = new Float32Array(SKIN_VERTICES);
  for (let v = 0; v < SKIN_VERTICES; v++) {
    const [x, y, facing] = [points[2 * v]!, points[2 * v + 1]!, normals[3 * v + 2]!];
    if (x < 2 || y < 2 || x > photo.width - 3 || y > photo.height - 3) continue;
    if (model.neutral[3 * v + 2]! < (nearest.get(cell(v)) ?? -99) - 0.8) continue;
    const color = texel(photo, x, y);
    const apart = Math.hypot(
      ...color.map((value, k) => Math.sqrt(value) - Math.sqrt(backdrop[k]!)),
    );
    const clear = facing > 0.75 ? 1 : smoothStep(0.08, 0.2, apart);
    weights[v] = smoothStep(0.22, 0.5, facing) * clear;
  }
  return weights;
}

/** Fills what the portrait does not show from its neighbours, ears, neck and scalp by their kind. */
function spread(model: HeadModel, albedo: Float32Array, known: Float32Array): void {
  const neighbours = skinNeighbours(model);
  const tones = regionTones(model, albedo, known);
  const seen = Uint8Array.from(known, (weight) => (weight >= 0.5 ? 1 : 0));
  for (let v = 0; v < SKIN_VERTICES; v++) {
    const tone = tones[v];
    if (seen[v] === 1 || tone === undefined) continue;
    albedo.set(tone, 3 * v);
    seen[v] = 2;
  }
  for (let round = 0; round < 60; round++) {
    for (let k = 0; k < SKIN_VERTICES; k++) {
      const v = round % 2 === 0 ? k : SKIN_VERTICES - 1 - k;
      if (seen[v] === 1) continue;
      let [r, g, b, count] = [0, 0, 0, 0];
      for (const n of neighbours[v]!) {
        if (seen[n] === 0) continue;
        r += albedo[3 * n]!;
        g += albedo[3 * n + 1]!;
        b += albedo[3 * n + 2]!;
        count++;
      }
      if (count === 0) continue;
      const tone = tones[v];
      const pull = tone === undefined ? 0 : 0.15;
      albedo[3 * v] = (r / count) * (1 - pull) + pull * (tone?.[0] ?? 0);
      albedo[3 * v + 1] = (g / count) * (1 - pull) + pull * (tone?.[1] ?? 0);
      albedo[3 * v + 2] = (b / count) * (1 - pull) + pull * (tone?.[2] ?? 0);
      seen[v] ||= 3;
    }
  }
}

/** What ears, nape and scalp look like where no portrait shows them. */
function regionTones(
  model: HeadModel,
  albedo: Float32Array,
  known: Float32Array,
): (readonly [number, number, number] | undefined)[] {
  const skin = cheekTone(model, albedo, known);
  const hair = topTone(model, albedo, known);
  const dim = (color: readonly [number, number, number], by: number): [number, number, number] => [
    color[0] * by,
    color[1] * by,
    color[2] * by,
  ];
  return Array.from({ length: SKIN_VERTICES }, (_, v) => {
    const [x, y, z] = model.neutral.subarray(3 * v, 3 * v + 3) as unknown as [
      number,
      number,
      number,
    ];
    if (Math.abs(x) > 7.3 && y < 5.5 && y > -3 && z > -3.5 && z < 4) return dim(skin, 0.9);
    if (y > -2 && (z < 1 || y > 9)) return hair;
    if (y < -7.5 || (y < -1 && z < 2)) return dim(skin, 0.8);
    return Math.abs(x) > 5 && y < 5 && y > -9 ? skin : undefined;
  });
}

/** A high forehead or a bald head shows skin where hair would be. */
function ownHair(
  top: readonly [number, number, number],
  cheek: readonly [number, number, number],
): readonly [number, number, number] | undefined {
  return top[0] < 0.45 * cheek[0] ? top : undefined;
}

function topTone(
  model: HeadModel,
  albedo: Float32Array,
  known: Float32Array,
): [number, number, number] {
  const colors: [number, number, number][] = [];
  for (let v = 0; v < SKIN_VERTICES; v++) {
    if (known[v]! < 0.7 || model.neutral[3 * v + 1]! < 11.3) continue;
    colors.push([albedo[3 * v]!, albedo[3 * v + 1]!, albedo[3 * v + 2]!]);
  }
  return colors.length > 0 ? medianOf(colors) : [0.05, 0.035, 0.025];
}

function cheekTone(
  model: HeadModel,
  albedo: Float32Array,
  known: Float32Array,
): [number, number, number] {
  const colors: [number, number, number][] = [];
  for (let v = 0; v < SKIN_VERTICES; v++) {
    const [x, y] = [Math.abs(model.neutral[3 * v]!), model.neutral[3 * v + 1]!];
    if (known[v]! < 0.9 || x < 2.5 || x > 5 || y < -3 || y > 1.5) continue;
    colors.push([albedo[3 * v]!, albedo[3 * v + 1]!, albedo[3 * v + 2]!]);
  }
  return medianOf(colors);
}

function medianOf(colors: readonly [number, number, number][]): [number, number, number] {
  const middle = (k: 0 | 1 | 2): number =>
    colors.map((color) => color[k]).sort((a, b) => a - b)[colors.length >> 1] ?? 0.3;
  return [middle(0), middle(1), middle(2)];
}

/** At the sides of the face hair and backdrop slip in: keep only what looks like the cheeks. */
function rejectSides(model: HeadModel, albedo: Float32Array, weights: Float32Array): void {
  const tone = cheekTone(model, albedo, weights);
  for (let v = 0; v < SKIN_VERTICES; v++) {
    const [x, y] = [Math.abs(model.neutral[3 * v]!), model.neutral[3 * v + 1]!];
    if (y > -7 && (x < 4.6 || y > 4.5)) continue;
    const ratios = [0, 1, 2].map((k) => albedo[3 * v + k]! / tone[k]!);
    const odd = ratios.some((ratio) => ratio < 0.45 || ratio > 1.75);
    const pale = ratios[2]! / ratios[0]! > 1.45 || ratios[2]! / ratios[0]! < 0.6;
    if (odd || pale) weights[v] = 0;
  }
  const before = Float32Array.from(weights);
  skinNeighbours(model).forEach((around, v) => {
    if (Math.abs(model.neutral[3 * v]!) < 4.6 || model.neutral[3 * v + 1]! > 4.5) return;
    for (const n of around) weights[v] = Math.min(weights[v]!, 0.4 + before[n]!);
    if (around.some((n) => before[n] === 0)) weights[v] = 0;
  });
}

const knownNeighbours = new WeakMap<HeadModel, number[][]>();

function skinNeighbours(model: HeadModel): number[][] {
  const known = knownNeighbours.get(model);
  if (known !== undefined) return known;
  const sets = Array.from({ length: SKIN_VERTICES }, () => new Set<number>());
  for (const name of ['M_Face', 'M_BackHead']) {
    const triangles = model.parts.get(name) ?? new Uint32Array();
    for (let t = 0; t < triangles.length; t += 3) {
      for (let i = 0; i < 3; i++) {
        const a = triangles[t + i]!;
        const b = triangles[t + ((i + 1) % 3)]!;
        if (a >= SKIN_VERTICES || b >= SKIN_VERTICES) continue;
        sets[a]!.add(b);
        sets[b]!.add(a);
      }
    }
  }
  const neighbours = sets.map((set) => [...set]);
  knownNeighbours.set(model, neighbours);
  return neighbours;
}

/** Divides by a linear shading model fitted to the face's brightness over its normals. */
function shadingGain(
  albedo: Float32Array,
  blend: Float32Array,
  normals: Float32Array,
): Float32Array {
  // The London set's light is broad and frontal: what faces up and ahead is brighter by this much.
  const gain = new Float32Array(SKIN_VERTICES);
  for (let v = 0; v < SKIN_VERTICES; v++) {
    const lit = 0.62 + 0.3 * Math.max(0, normals[3 * v + 2]!) + 0.12 * normals[3 * v + 1]!;
    gain[v] = blend[v]! > 0 && albedo[3 * v]! > 0 ? Math.min(1.5, 0.95 / lit) : 1;
  }
  return gain;
}

function irisColor(photo: Texture, landmarks: readonly Point[]): [number, number, number] {
  const colors = IRIS_POINTS.flatMap(({ pupil, ring }) =>
    ring.map((i) => {
      const [px, py] = landmarks[pupil]!;
      const [x, y] = landmarks[i]!;
      return texel(photo, px + 0.7 * (x - px), py + 0.7 * (y - py));
    }),
  );
  colors.sort((a, b) => a[0] + a[1] + a[2] - (b[0] + b[1] + b[2]));
  return meanOf(colors.slice(2, 10));
}

function meanOf(colors: readonly (readonly [number, number, number])[]): [number, number, number] {
  const sum: [number, number, number] = [0, 0, 0];
  for (const color of colors)
    for (const k of [0, 1, 2] as const) sum[k] += color[k] / colors.length;
  return sum;
}
