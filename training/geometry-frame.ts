import {
  describeGeometry, GEOMETRY_FEATURES, GEOMETRY_POINTS, mirrorGeometry, type Geometry,
} from '../encoder/geometry.js'; // prettier-ignore
import type { GroupSet } from './dataset/groups.js';

/** What the geometry stream measures faces against, learned from the training faces once. */
export type GeometryFrame = Pick<Geometry, 'reference' | 'mean' | 'deviation'>;

const REFERENCE_VALUES = 3 * GEOMETRY_POINTS.length;
/** The reference is the mean of this share of the views, those that look straight ahead most. */
const FRONTAL_SHARE = 0.2;
const ROUNDS = 4;
/** Groups to look at: more change nothing. */
const MOST_GROUPS = 2000;
/** Features that hardly move are noise: their deviation counts as this share of the mean one. */
const LEAST_DEVIATION = 0.1;

/**
 * Mean frontal face (generalised Procrustes analysis, Gower 1975, made symmetric), and mean and
 * deviation of every feature over all views and their mirror images.
 */
export function fitGeometryFrame(set: GroupSet, indices: readonly number[]): GeometryFrame {
  const step = Math.max(1, Math.floor(indices.length / MOST_GROUPS));
  const views = indices.filter((_, i) => i % step === 0).flatMap((index) => set.read(index).views);
  const frontal = views
    .toSorted((a, b) => Math.abs(a.yawDeg) - Math.abs(b.yawDeg))
    .slice(0, Math.ceil(FRONTAL_SHARE * views.length));
  let reference = firstReference(frontal[0]!.landmarks);
  for (let round = 0; round < ROUNDS; round++) {
    const { mean } = momentsOf(frontal, reference);
    reference = unitSize(mean.subarray(0, REFERENCE_VALUES));
  }
  const { mean, deviation } = momentsOf(views, reference);
  const typical = deviation.reduce((sum, value) => sum + value, 0) / deviation.length;
  return {
    reference: { shape: [GEOMETRY_POINTS.length, 3], data: reference },
    mean: { shape: [GEOMETRY_FEATURES], data: mean },
    deviation: {
      shape: [GEOMETRY_FEATURES],
      // Faces that are all alike deviate by nothing.
      data: deviation.map((value) => Math.max(value, LEAST_DEVIATION * typical) || 1),
    },
  };
}

interface Landmarked {
  readonly landmarks: Float32Array;
}

/** Over the views and their mirror images, so that the mean is symmetric. */
function momentsOf(
  views: readonly Landmarked[],
  reference: Float32Array,
): { mean: Float32Array; deviation: Float32Array } {
  const [sum, square] = [new Float64Array(GEOMETRY_FEATURES), new Float64Array(GEOMETRY_FEATURES)];
  const features = new Float32Array(GEOMETRY_FEATURES);
  for (const { landmarks } of views) {
    describeGeometry(landmarks, reference, features);
    for (const side of [features, mirrorGeometry(features)]) {
      side.forEach((value, i) => {
        sum[i]! += value;
        square[i]! += value * value;
      });
    }
  }
  const n = 2 * views.length;
  const mean = Float32Array.from(sum, (value) => value / n);
  const deviation = Float32Array.from(square, (value, i) =>
    Math.sqrt(Math.max(0, value / n - (sum[i]! / n) ** 2)),
  );
  return { mean, deviation };
}

function firstReference(landmarks: Float32Array): Float32Array {
  const points = GEOMETRY_POINTS.flatMap((index) => [
    ...landmarks.subarray(3 * index, 3 * index + 3),
  ]);
  return unitSize(Float32Array.from(points));
}

/** Centred, with a mean squared distance of 1 from the centre. */
function unitSize(points: Float32Array): Float32Array {
  const count = points.length / 3;
  const middle = [0, 1, 2].map((k) => {
    let sum = 0;
    for (let i = k; i < points.length; i += 3) sum += points[i]!;
    return sum / count;
  });
  const centred = points.map((value, i) => value - middle[i % 3]!);
  const size = Math.sqrt(centred.reduce((sum, value) => sum + value * value, 0) / count) || 1;
  return centred.map((value) => value / size);
}

/** The frame as one array, for checkpoints. */
export function packFrame({ reference, mean, deviation }: GeometryFrame): Float32Array {
  return Float32Array.from([...reference.data, ...mean.data, ...deviation.data]);
}

export function unpackFrame(packed: Float32Array): GeometryFrame {
  const end = REFERENCE_VALUES + GEOMETRY_FEATURES;
  return {
    reference: { shape: [GEOMETRY_POINTS.length, 3], data: packed.slice(0, REFERENCE_VALUES) },
    mean: { shape: [GEOMETRY_FEATURES], data: packed.slice(REFERENCE_VALUES, end) },
    deviation: { shape: [GEOMETRY_FEATURES], data: packed.slice(end) },
  };
}
