import { EXPRESSION_LABELS, type ExpressionLabel } from '../../core/types.js';
import type { Random } from './random.js';
import type { ShapeWeights } from './shape.js';

/** Action units by number (Facial Action Coding System), 0–1. */
type Units = Readonly<Record<number, number>>;

/** What moves for an action unit at 1; shapes without a side are given without one. */
const UNIT_SHAPES: Readonly<Record<number, Readonly<Record<string, number>>>> = {
  // The landmark model sees little of a raised brow, and brows rise from where calm ones rest: low.
  1: { browInnerUp: 2.5, browOuterUp: 0.5 },
  2: { browOuterUp: 1.5 },
  // The model's own browDown lowers brows by 4 mm; calm ones rest up to twice that below the model's.
  4: { browDown: 2.3 },
  // Its eyeWide moves the measured lid by no more than 0.6 mm.
  5: { eyeWide: 2 },
  6: { cheekSquint: 1, cheekRaiser: 0.5, eyeSquint: 0.35 },
  7: { eyeSquint: 1 },
  9: { noseSneer: 1, browDown: 0.25 },
  10: { mouthUpperUp: 0.8 },
  12: { mouthSmile: 1 },
  14: { mouthDimple: 1 },
  15: { mouthFrown: 1 },
  16: { mouthLowerDown: 0.8 },
  17: { mouthShrugLower: 1 },
  20: { mouthStretch: 1 },
  23: { mouthPress: 0.7, mouthRollLower: 0.35, mouthRollUpper: 0.35 },
  24: { mouthPress: 1 },
  25: { mouthUpperUp: 0.3, mouthLowerDown: 0.45 },
  26: { jawOpen: 0.45 },
  27: { jawOpen: 0.9 },
};

/**
 * Ways to show each expression. The first of each is the textbook's: happiness 6+12, sadness 1+4+15,
 * surprise 1+2+5+26, fear 1+2+4+5+7+20+26, anger 4+5+7+23, disgust 9+15+16. The others are what
 * people do as well: they laugh, weep, scream, shout and bare their teeth. Where unit 1 raises the brows
 * unit 4 draws them together more than down, so it counts little: sad and frightened brows stand high.
 */
export const PROTOTYPES: Readonly<Record<ExpressionLabel, readonly Units[]>> = {
  neutral: [{}],
  happiness: [
    { 6: 0.8, 12: 1 },
    { 6: 0.9, 12: 1.1, 25: 0.9 },
    { 6: 0.9, 12: 1.15, 25: 1, 26: 0.5 },
    { 12: 0.85 },
    { 6: 0.5, 12: 1, 14: 0.3, 25: 0.6 },
    { 6: 1, 7: 0.5, 12: 1.2, 25: 0.8, 27: 0.6 },
  ],
  sadness: [
    { 1: 1, 4: 0.15, 15: 1 },
    { 1: 0.9, 4: 0.1, 15: 0.8, 17: 0.8 },
    { 1: 1, 4: 0.2, 15: 0.9, 7: 0.3, 20: 0.2 },
    { 15: 1, 17: 0.7, 4: 0.3 },
    { 1: 0.9, 4: 0.1, 6: 0.4, 15: 0.8, 25: 0.5 },
    { 1: 0.9, 4: 0.2, 6: 0.6, 7: 0.7, 15: 0.8, 20: 0.5, 25: 0.6, 26: 0.3 },
  ],
  surprise: [
    { 1: 1, 2: 1, 5: 0.9, 26: 1 },
    { 1: 1, 2: 1, 5: 1, 27: 0.8 },
    { 1: 1, 2: 1, 5: 0.7 },
    { 1: 0.8, 2: 0.8, 5: 0.8, 25: 0.3, 26: 0.6 },
  ],
  fear: [
    { 1: 1, 2: 0.7, 4: 0.4, 5: 1, 7: 0.4, 20: 1, 26: 0.6 },
    { 1: 1, 2: 0.6, 4: 0.35, 5: 1, 20: 0.9, 25: 0.8 },
    { 1: 1, 2: 0.5, 4: 0.3, 5: 0.9, 20: 0.7, 25: 0.7, 26: 1 },
    { 1: 0.9, 4: 0.35, 5: 1, 20: 1, 25: 0.5, 7: 0.3 },
    { 1: 1, 2: 0.8, 4: 0.35, 5: 1, 20: 0.8, 25: 0.6, 27: 0.8 },
  ],
  anger: [
    { 4: 1, 5: 0.6, 7: 0.7, 23: 1 },
    { 4: 1, 7: 0.8, 23: 0.6, 24: 0.8, 17: 0.5 },
    { 4: 1, 5: 0.7, 7: 0.6, 10: 0.6, 25: 0.9, 26: 0.4 },
    { 4: 1, 7: 0.6, 9: 0.3, 23: 0.8 },
    { 4: 1, 5: 0.5, 7: 0.7, 16: 0.6, 20: 0.4, 25: 0.7 },
    { 4: 1, 7: 0.7, 9: 0.4, 10: 0.8, 16: 0.5, 25: 0.7, 27: 0.7 },
  ],
  disgust: [
    { 9: 1, 15: 0.7, 16: 0.6 },
    { 9: 1, 10: 1, 17: 0.6 },
    { 9: 1, 10: 0.9, 25: 0.6, 7: 0.5 },
    { 9: 0.8, 10: 0.8, 15: 0.8, 17: 0.7, 4: 0.4, 7: 0.4 },
    { 9: 1, 10: 0.9, 4: 0.5, 7: 0.6, 16: 0.5, 25: 0.7, 26: 0.6 },
    // The model's wrinkled nose parts the lips; with the chin raised they stay closed.
    { 9: 0.9, 17: 1 },
    { 9: 0.7, 4: 0.4, 7: 0.3, 15: 0.6, 17: 0.9 },
  ],
};

/** How far shapes whose names begin so may be driven; the first that fits counts. */
const MOST: readonly (readonly [string, number])[] = [
  ['browDown', 3.2],
  ['brow', 2.2],
  ['eyeWide', 2.6],
  ['', 1.3],
];
const mostOf = (name: string): number => MOST.find(([begin]) => name.startsWith(begin))![1];

const TWO_SIDED = new Set([
  'browInnerUp', 'browOuterUp', 'browDown', 'eyeWide', 'cheekSquint', 'cheekRaiser', 'eyeSquint',
  'noseSneer', 'mouthUpperUp', 'mouthSmile', 'mouthDimple', 'mouthFrown', 'mouthLowerDown',
  'mouthStretch', 'mouthPress',
]); // prettier-ignore

/** How one moment's expression came about. */
export interface Recipe {
  readonly label: ExpressionLabel;
  /** 0–1; 0 for neutral. */
  readonly strength: number;
  /** Which of the label's prototypes. */
  readonly prototype: number;
  /** −1 only the right half of the face moves … 1 only the left half. */
  readonly asymmetry: number;
}

/** The shapes of a recipe, before gaze, blinks and speech. */
export function recipeShapes({ label, strength, prototype, asymmetry }: Recipe): ShapeWeights {
  const options = PROTOTYPES[label];
  const units = options[prototype % options.length]!;
  const weights: Record<string, number> = {};
  const put = (name: string, weight: number): void => {
    weights[name] = Math.min(mostOf(name), (weights[name] ?? 0) + weight);
  };
  for (const [unit, amount] of Object.entries(units)) {
    for (const [shape, share] of Object.entries(UNIT_SHAPES[Number(unit)]!)) {
      const weight = share * amount * strength;
      if (!TWO_SIDED.has(shape)) put(shape, weight);
      else {
        put(`${shape}_L`, weight * (1 + Math.min(0, asymmetry)));
        put(`${shape}_R`, weight * (1 - Math.max(0, asymmetry)));
      }
    }
  }
  return weights;
}

/** Where the eyes look, −1 to 1 (right of the person negative), and how far the lids are closed. */
export interface Gaze {
  readonly left: number;
  readonly up: number;
  readonly blink: number;
}

export function gazeShapes({ left, up, blink }: Gaze): ShapeWeights {
  return {
    eyeLookOut_L: Math.max(0, left),
    eyeLookIn_R: Math.max(0, left),
    eyeLookOut_R: Math.max(0, -left),
    eyeLookIn_L: Math.max(0, -left),
    eyeLookUp_L: Math.max(0, up),
    eyeLookUp_R: Math.max(0, up),
    eyeLookDown_L: Math.max(0, -up),
    eyeLookDown_R: Math.max(0, -up),
    eyeBlink_L: blink,
    eyeBlink_R: blink,
  };
}

/** Mouths of speech: closed, open, rounded, spread, lip on teeth. */
const VISEMES: readonly ShapeWeights[] = [
  { mouthPress_L: 0.3, mouthPress_R: 0.3 },
  { jawOpen: 0.45, mouthLowerDown_L: 0.3, mouthLowerDown_R: 0.3 },
  { jawOpen: 0.22, mouthFunnel: 0.7, mouthPucker: 0.2 },
  {
    jawOpen: 0.15,
    mouthStretch_L: 0.4,
    mouthStretch_R: 0.4,
    mouthUpperUp_L: 0.25,
    mouthUpperUp_R: 0.25,
  },
  { mouthRollLower: 0.5, mouthUpperUp_L: 0.2, mouthUpperUp_R: 0.2 },
  { mouthPucker: 0.7, jawOpen: 0.06 },
];

/** A mouth between two visemes; `phase` runs 0–1 from one to the next, `pick` chooses them. */
export function speechShapes(pick: number, phase: number, amount: number): ShapeWeights {
  const from = VISEMES[pick % VISEMES.length]!;
  const to = VISEMES[(pick * 5 + 3) % VISEMES.length]!;
  const ease = phase * phase * (3 - 2 * phase);
  return mixShapes([from, amount * (1 - ease)], [to, amount * ease]);
}

/** Sum of weighted shapes, each clipped to 0 and what it allows. */
export function mixShapes(...parts: readonly (readonly [ShapeWeights, number])[]): ShapeWeights {
  const out: Record<string, number> = {};
  for (const [weights, amount] of parts) {
    for (const [name, weight] of Object.entries(weights)) {
      out[name] = Math.min(mostOf(name), Math.max(0, (out[name] ?? 0) + weight * amount));
    }
  }
  return out;
}

/** Neutral faces carry a trace of some expression this often, and this strongly at most. */
const TRACE = { chance: 0.6, most: 0.2 };
/** Faces at rest differ: standard deviation and frequency of what any shape holds of itself. */
const RESTING = { deviation: 0.1, chance: 0.2 };
/**
 * Brows, lids, lips and corners of the mouth rest anywhere between two opposed movements, up to this much
 * of each: people at rest must not look like an expression because their brows are high or low.
 */
const OPPOSED: readonly { one: ShapeWeights; other: ShapeWeights; chanceOfOne: number }[] = [
  // Brows of portraits rest lower than the model's: what blendshapes call a frown is 0.22 in their photos and
  // 0.11 in renders of the same heads without any movement (docs/results.md).
  { one: { browDown: 2.2 }, other: { browInnerUp: 0.3, browOuterUp: 0.3 }, chanceOfOne: 0.9 },
  // Lids of portraits rest wider open than the model's, by 0.9 mm on average (docs/results.md).
  { one: { eyeSquint: 0.35 }, other: { eyeWide: 1.7 }, chanceOfOne: 0.15 },
  { one: { mouthFrown: 0.55 }, other: { mouthSmile: 0.2 }, chanceOfOne: 0.6 },
  { one: { mouthPress: 0.5 }, other: { jawOpen: 0.08, mouthUpperUp: 0.1 }, chanceOfOne: 0.6 },
];
const OPPOSED_SHAPES = new Set(
  OPPOSED.flatMap(({ one, other }) => [...Object.keys(one), ...Object.keys(other)]),
);

/** A trace of another label that people would still call neutral; empty for the others. */
function restingTrace(random: Random, label: ExpressionLabel): ShapeWeights {
  if (label !== 'neutral' || !random.chance(TRACE.chance)) return {};
  const other = random.pick(EXPRESSION_LABELS.filter((one) => one !== 'neutral'));
  const prototype = Math.floor(random.next() * PROTOTYPES[other].length);
  const strength = random.uniform(0.05, TRACE.most);
  return recipeShapes({ label: other, strength, prototype, asymmetry: random.normal() * 0.2 });
}

/** What a face holds of itself: opposed movements one way or the other, traces of all others. */
function restingShapes(random: Random): ShapeWeights {
  const weights: Record<string, number> = {};
  const put = (shape: string, weight: number, spread: number): void => {
    if (!TWO_SIDED.has(shape)) weights[shape] = weight;
    else
      for (const side of ['L', 'R'])
        weights[`${shape}_${side}`] = weight * random.uniform(1 - spread, 1 + spread);
  };
  for (const { one, other, chanceOfOne } of OPPOSED) {
    const way = random.chance(chanceOfOne) ? one : other;
    const amount = random.next();
    for (const [shape, most] of Object.entries(way)) put(shape, amount * most, 0.15);
  }
  for (const shape of new Set(
    Object.values(UNIT_SHAPES).flatMap((shapes) => Object.keys(shapes)),
  )) {
    if (OPPOSED_SHAPES.has(shape) || !random.chance(RESTING.chance)) continue;
    put(shape, Math.abs(random.normal()) * RESTING.deviation, 0.4);
  }
  return weights;
}

/** One still moment: a way to show the label with noise on every unit, gaze, maybe blink or speech. */
export function randomMoment(
  random: Random,
  label: ExpressionLabel,
): { recipe: Recipe; shapes: ShapeWeights } {
  const strength = label === 'neutral' ? 0 : random.uniform(0.35, 1);
  const recipe: Recipe = {
    label,
    strength,
    prototype: Math.floor(random.next() * PROTOTYPES[label].length),
    asymmetry: random.normal() * 0.12,
  };
  const jittered: Record<string, number> = {};
  for (const [name, weight] of Object.entries(recipeShapes(recipe))) {
    jittered[name] = Math.min(mostOf(name), weight * Math.exp(0.2 * random.normal()));
  }
  const gaze = {
    left: random.normal() * 0.3,
    up: random.normal() * 0.25,
    blink: random.chance(0.06) ? random.uniform(0.4, 1) : random.uniform(0, 0.15),
  };
  const talking = random.chance(label === 'neutral' ? 0.3 : 0.15) ? random.uniform(0.2, 0.8) : 0;
  const speech = speechShapes(Math.floor(random.next() * 6), random.next(), talking);
  const shapes = mixShapes(
    [jittered, 1],
    [restingTrace(random, label), 1],
    [restingShapes(random), 1],
    [gazeShapes(gaze), 1],
    [speech, 1],
  );
  return { recipe, shapes };
}
