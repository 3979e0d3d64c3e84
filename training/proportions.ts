import { BONY_FEATURES, bonyFace } from '../encoder/proportions.js';
import { solveSymmetric } from './scene/linear.js';

/** A face as the landmark model measures it. */
export interface MeasuredFace {
  readonly personId: string;
  /** Its expression. */
  readonly label: string;
  /** N × 3 of the 468- or 478-point mesh. */
  readonly landmarks: Float32Array;
}

/** In a picture that was made so many times as tall, 1 for the picture itself. */
export interface StretchedFace extends MeasuredFace {
  readonly tall: number;
}

/** What encoder/proportions.ts knows. */
export interface Proportions {
  /** One a feature of {@link bonyFace}. */
  readonly weights: readonly number[];
  /** Of the estimate over the rendered views. */
  readonly mean: number;
}

const DIAGONAL = 1e-5;
/** What is frontal: the squared sine of 12°. */
const FRONTAL = 0.043;
const SQUARED_SINE_OF_YAW = BONY_FEATURES - 3;

/**
 * Weights w of the linear estimate w · f of the logarithm of height over width, by generalised least squares
 * (Aitken 1936): w = A⁻¹ d / (dᵀ A⁻¹ d) has the least variance under A of all that answer d with 1. A is the
 * covariance of the features within people, of rendered ones over all views and expressions and of real ones
 * over their unchanged pictures, and the square of what tells those from frontal renders of the same expressions, which is no
 * proportion;
 * d is how the features follow the logarithm of `tall` in real pictures.
 * @param rendered views of any yaw; several a person. @param stretched the same real faces at several `tall`, 1 among them.
 */
export function fitProportions(
  rendered: readonly MeasuredFace[],
  stretched: readonly StretchedFace[],
): Proportions {
  const [seen, real] = [rendered.flatMap(featuresOf), stretched.flatMap(featuresOf)];
  const unchanged = real.filter(({ tall }) => tall === 1);
  const expressions = new Set(unchanged.map(({ label }) => label));
  const frontal = seen.filter(
    ({ label, features }) => expressions.has(label) && features[SQUARED_SINE_OF_YAW]! < FRONTAL,
  );
  const domain = difference(meanOf(unchanged), meanOf(frontal));
  const covariance = new Float64Array(BONY_FEATURES ** 2);
  for (const deviations of [withinPeople(seen), withinPeople(unchanged), [domain]])
    for (const deviation of deviations) addSquare(covariance, deviation, 1 / deviations.length);
  for (let i = 0; i < BONY_FEATURES; i++) covariance[i * BONY_FEATURES + i]! += DIAGONAL;
  const answer = slopes(real);
  const solved = solveSymmetric(covariance, Float64Array.from(answer));
  const gain = dot(solved, answer);
  const weights = Array.from(solved, (value) => value / gain);
  return { weights, mean: dot(weights, meanOf(seen)) };
}

interface Described {
  readonly personId: string;
  readonly label: string;
  readonly tall: number;
  readonly features: readonly number[];
}

function featuresOf(given: MeasuredFace | StretchedFace): Described[] {
  const { personId, label, landmarks } = given;
  const face = bonyFace(landmarks);
  const tall = 'tall' in given ? given.tall : 1;
  return face === undefined ? [] : [{ personId, label, tall, features: face.features }];
}

/** Of each feature over the logarithm of `tall`. */
function slopes(faces: readonly Described[]): number[] {
  const logs = faces.map(({ tall }) => Math.log(tall));
  const middle = logs.reduce((sum, log) => sum + log / logs.length, 0);
  const spread = logs.reduce((sum, log) => sum + (log - middle) ** 2, 0);
  return Array.from({ length: BONY_FEATURES }, (_, k) =>
    faces.reduce((sum, { features }, i) => sum + ((logs[i]! - middle) * features[k]!) / spread, 0),
  );
}

/** Each face's features less their person's mean. */
function withinPeople(faces: readonly Described[]): number[][] {
  const people = new Map<string, Described[]>();
  for (const face of faces) people.set(face.personId, [...(people.get(face.personId) ?? []), face]);
  return [...people.values()].flatMap((own) => {
    const mean = meanOf(own);
    return own.map(({ features }) => difference(features, mean));
  });
}

const meanOf = (faces: readonly Described[]): number[] =>
  Array.from({ length: BONY_FEATURES }, (_, k) =>
    faces.reduce((sum, { features }) => sum + features[k]! / faces.length, 0),
  );

const difference = (one: readonly number[], other: readonly number[]): number[] =>
  one.map((value, i) => value - other[i]!);

const dot = (one: ArrayLike<number>, other: readonly number[]): number =>
  other.reduce((sum, value, i) => sum + one[i]! * value, 0);

function addSquare(covariance: Float64Array, deviation: readonly number[], share: number): void {
  for (let i = 0; i < deviation.length; i++)
    for (let j = 0; j < deviation.length; j++)
      covariance[i * deviation.length + j]! += share * deviation[i]! * deviation[j]!;
}
