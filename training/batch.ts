import { VIEW_FEATURES, viewFeatures } from '../encoder/fusion.js';
import { describeGeometry, GEOMETRY_FEATURES, mirrorGeometry } from '../encoder/geometry.js';
import type { Normalizer } from '../encoder/normalize.js';
import { Random } from '../encoder/random.js';
import type { Augmenter } from './augment.js';
import type { GroupSet, LabelledGroup } from './dataset/groups.js';
import type { GeometryFrame } from './geometry-frame.js';
import type { Drawn } from './sampler.js';

/** A group as one step draws it: these views alone, and a seed for what is random about it. */
export interface SeededGroup extends LabelledGroup {
  readonly seed: number;
}

/** What the loss knows of a batch besides its pictures; rows of a group lie together. */
export interface BatchTruth {
  readonly rows: number;
  /** rows × VIEW_FEATURES. */
  readonly features: Float32Array;
  /** rows × GEOMETRY_FEATURES, standardised; empty without a geometry stream. */
  readonly geometry: Float32Array;
  /** Which group of the batch a row belongs to. */
  readonly groupOf: readonly number[];
  /** A label a group. */
  readonly labels: readonly number[];
  /** Share of each group in the loss of labels. */
  readonly weights: readonly number[];
  /** Shape weights a group, where known. */
  readonly shapes: readonly (readonly number[] | undefined)[];
  /** What a blendshape model reads in each group's most frontal view, where it was asked. */
  readonly frontal: readonly (Float32Array | undefined)[];
  /** What a blendshape model reads from each row's landmarks, row by row; empty where none was asked. */
  readonly blendshapes: Float32Array;
  /** Rows that the fused score of their group sees: a random non-empty subset. */
  readonly fused: readonly boolean[];
}

/** Views of several groups, ready for the network. */
export interface Batch extends BatchTruth {
  readonly size: number;
  /** rows × size × size. */
  readonly images: Float32Array;
}

export interface Preparation {
  readonly size: number;
  readonly normalize: Normalizer;
  /** What landmarks are measured against; without one they are left out. */
  readonly frame?: GeometryFrame | undefined;
  /** Without one, views stay as they are and every view is fused. */
  readonly augmenter?: Augmenter | undefined;
}

export function readDrawn(set: GroupSet, drawn: readonly Drawn[], random: Random): SeededGroup[] {
  return drawn.map(({ group, views }) => {
    const read = set.read(group);
    const seed = random.integer(2 ** 31);
    return { ...read, views: views.map((v) => read.views[v]!), seed };
  });
}

/** A group gives the same rows whichever other groups are in the batch. */
export function prepareBatch(groups: readonly SeededGroup[], preparation: Preparation): Batch {
  const { size, normalize, frame, augmenter } = preparation;
  const area = size * size;
  const rows = groups.reduce((sum, { views }) => sum + views.length, 0);
  const images = new Float32Array(rows * area);
  const geometry = new Float32Array(frame ? rows * GEOMETRY_FEATURES : 0);
  const changed = new Uint8Array(area);
  let row = 0;
  for (const { seed, views } of groups) {
    const random = new Random(seed + 1);
    for (const { crop, landmarks } of views) {
      const out = images.subarray(row * area, (row + 1) * area);
      const stretched = augmenter?.stretch(landmarks, random);
      let mirrored = false;
      if (augmenter) {
        mirrored = augmenter.apply(crop, changed, random, stretched);
        normalize(changed, out);
        augmenter.erase(out, random);
      } else {
        normalize(crop, out);
      }
      if (frame) {
        const shape = standardGeometry(stretched?.landmarks ?? landmarks, frame, mirrored);
        augmenter?.disturb(shape, random);
        geometry.set(shape, row * GEOMETRY_FEATURES);
      }
      row++;
    }
  }
  return { ...batchTruth(groups, augmenter !== undefined, geometry), size, images };
}

/** @param subsets whether the fused score sees a random part of each group's views, or all. */
export function batchTruth(
  groups: readonly SeededGroup[],
  subsets: boolean,
  geometry: Float32Array,
): BatchTruth {
  const views = groups.flatMap((group) => group.views);
  const features = new Float32Array(views.length * VIEW_FEATURES);
  // Features are of |yaw| and |roll|: mirroring leaves them as they are.
  views.forEach((view, row) => features.set(viewFeatures(view), row * VIEW_FEATURES));
  return {
    rows: views.length,
    features,
    geometry,
    groupOf: groups.flatMap((group, g) => group.views.map(() => g)),
    labels: groups.map(({ label }) => label),
    weights: groups.map(({ weight = 1 }) => weight),
    shapes: groups.map(({ shapes }) => shapes),
    frontal: groups.map(({ frontal }) => frontal),
    blendshapes: Float32Array.from(views.flatMap(({ blendshapes = [] }) => [...blendshapes])),
    fused: groups.flatMap((group) =>
      subset(group.views.length, subsets ? new Random(group.seed) : undefined),
    ),
  };
}

function standardGeometry(
  landmarks: Float32Array,
  { reference, mean, deviation }: GeometryFrame,
  mirrored: boolean,
): Float32Array {
  const features = new Float32Array(GEOMETRY_FEATURES);
  describeGeometry(landmarks, reference.data, features);
  return (mirrored ? mirrorGeometry(features) : features).map(
    (value, i) => (value - mean.data[i]!) / deviation.data[i]!,
  );
}

/** A random size from one to all, then a random choice of that size. */
function subset(count: number, random: Random | undefined): boolean[] {
  if (!random) return Array<boolean>(count).fill(true);
  const size = 1 + random.integer(count);
  return random.shuffle(Array.from({ length: count }, (_, i) => i < size));
}
