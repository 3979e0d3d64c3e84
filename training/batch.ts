import { VIEW_FEATURES, viewFeatures } from '../encoder/fusion.js';
import { describeGeometry, GEOMETRY_FEATURES, mirrorGeometry } from '../encoder/geometry.js';
import type { Normalizer } from '../encoder/normalize.js';
import type { Random } from '../encoder/random.js';
import type { Augmenter } from './augment.js';
import type { GroupSet } from './dataset/groups.js';
import type { GeometryFrame } from './geometry-frame.js';
import type { Drawn } from './sampler.js';

/** Views of several groups, ready for the network; rows of a group lie together. */
export interface Batch {
  readonly size: number;
  readonly rows: number;
  /** rows × size × size. */
  readonly images: Float32Array;
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
  /** Rows that the fused score of their group sees: a random non-empty subset. */
  readonly fused: readonly boolean[];
}

export interface Preparation {
  readonly size: number;
  readonly normalize: Normalizer;
  /** What landmarks are measured against; without one they are left out. */
  readonly frame?: GeometryFrame | undefined;
  /** Without one, views stay as they are and every view is fused. */
  readonly augmenter?: Augmenter | undefined;
}

export function prepareBatch(
  set: GroupSet,
  drawn: readonly Drawn[],
  { size, normalize, frame, augmenter }: Preparation,
  random: Random,
): Batch {
  const area = size * size;
  const rows = drawn.reduce((sum, { views }) => sum + views.length, 0);
  const images = new Float32Array(rows * area);
  const features = new Float32Array(rows * VIEW_FEATURES);
  const geometry = new Float32Array(frame ? rows * GEOMETRY_FEATURES : 0);
  const [groupOf, fused]: [number[], boolean[]] = [[], []];
  const changed = new Uint8Array(area);
  const groups = drawn.map(({ group }) => set.read(group));
  let row = 0;
  for (const [g, { views }] of drawn.entries()) {
    fused.push(...subset(views.length, augmenter ? random : undefined));
    for (const v of views) {
      const view = groups[g]!.views[v]!;
      const out = images.subarray(row * area, (row + 1) * area);
      let mirrored = false;
      if (augmenter) {
        mirrored = augmenter.apply(view.crop, changed, random);
        normalize(changed, out);
        augmenter.erase(out, random);
      } else {
        normalize(view.crop, out);
      }
      if (frame) {
        const shape = standardGeometry(view.landmarks, frame, mirrored);
        augmenter?.disturb(shape, random);
        geometry.set(shape, row * GEOMETRY_FEATURES);
      }
      // Features are of |yaw| and |roll|: mirroring leaves them as they are.
      features.set(viewFeatures(view), row * VIEW_FEATURES);
      groupOf.push(g);
      row++;
    }
  }
  return {
    size,
    rows,
    images,
    features,
    geometry,
    groupOf,
    labels: groups.map(({ label }) => label),
    weights: groups.map(({ weight = 1 }) => weight),
    shapes: groups.map(({ shapes }) => shapes),
    fused,
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
