import type { Vec3 } from '../../core/geometry.js';
import { EXPRESSION_LABELS, type ExpressionLabel, type Head } from '../../core/types.js';
import { turn } from './capture.js';
import {
  gazeShapes,
  mixShapes,
  PROTOTYPES,
  recipeShapes,
  speechShapes,
  type Recipe,
} from './expression.js';
import type { Mat3 } from '../../core/geometry.js';
import { Random } from './random.js';
import type { ShapeWeights } from './shape.js';

/** What a person does at one instant. */
interface Pose {
  readonly shapes: ShapeWeights;
  readonly label: ExpressionLabel;
  /** 0–1; 0 for neutral. */
  readonly strength: number;
  /** Place of the head model's origin in the world. */
  readonly place: Head;
  /** The body against the head. */
  readonly neck: Mat3;
}

/** What a person does over time. */
export type Script = (timeS: number) => Pose;

/** Below this strength nobody would see the expression: the truth says neutral. */
const VISIBLE = 0.25;
const RISE_S = 0.25;
const FALL_S = 0.2;

/**
 * A person who shows every expression once in `lengthS` seconds, in an order the seed picks, and
 * who meanwhile blinks, looks about, turns the head and speaks a little while neutral.
 * @param seat where the head rests, metres; `facingDeg` turns it towards the world's +x
 */
export function performAll(seed: string, lengthS: number, seat: Vec3, facingDeg: number): Script {
  const random = new Random(seed);
  const order = shuffled(EXPRESSION_LABELS, random);
  const slotS = lengthS / order.length;
  const recipes = order.map((label): Recipe => ({
    label,
    strength: label === 'neutral' ? 0 : random.uniform(0.8, 1),
    prototype: Math.floor(random.next() * PROTOTYPES[label].length),
    asymmetry: 0.1 * random.normal(),
  }));
  const sway = wave(random, 0.07, 0.25);
  const [yaw, pitch, roll] = [
    wave(random, 0.12, 0.35),
    wave(random, 0.1, 0.4),
    wave(random, 0.1, 0.3),
  ];
  const [left, up] = [wave(random, 0.2, 0.7), wave(random, 0.2, 0.6)];
  const blinks = Array.from(
    { length: Math.ceil(lengthS / 2) },
    (_, i) => 2 * i + random.uniform(0.3, 1.7),
  );
  return (timeS) => {
    const slot = Math.min(order.length - 1, Math.max(0, Math.floor(timeS / slotS)));
    const inSlot = timeS - slot * slotS;
    const recipe = recipes[slot]!;
    const share = Math.min(1, ease(inSlot / RISE_S), ease((slotS - inSlot) / FALL_S));
    const strength = recipe.strength * share;
    const since = blinks.reduce((least, at) => Math.min(least, Math.abs(timeS - at)), Infinity);
    const gaze = {
      left: 0.25 * left(timeS),
      up: 0.15 * up(timeS),
      blink: Math.max(0.04, 1 - since / 0.09),
    };
    const syllable = timeS * 5;
    const talk = recipe.label === 'neutral' ? 0.5 * share : 0;
    const shapes = mixShapes(
      [recipeShapes({ ...recipe, strength }), 1],
      [gazeShapes(gaze), 1],
      [speechShapes(Math.floor(syllable), syllable % 1, recipe.label === 'neutral' ? talk : 0), 1],
    );
    const visible = strength >= VISIBLE;
    return {
      shapes,
      label: visible ? recipe.label : 'neutral',
      strength: visible ? strength : 0,
      place: {
        rotation: turn(facingDeg + 11 * yaw(timeS), 5 * pitch(timeS), 3 * roll(timeS)),
        position: [
          seat[0] + 0.012 * sway(timeS),
          seat[1] + 0.004 * pitch(timeS),
          seat[2] + 0.01 * roll(timeS),
        ],
      },
      neck: turn(-9 * yaw(timeS), -4 * pitch(timeS), -2 * roll(timeS)),
    };
  };
}

/** A slow wandering between about −1 and 1: two sines, cycles a second within the bounds. */
function wave(random: Random, fromHz: number, toHz: number): (timeS: number) => number {
  const parts = [1, 0.5].map((amount) => ({
    amount,
    speed: 2 * Math.PI * random.uniform(fromHz, toHz),
    phase: random.uniform(0, 2 * Math.PI),
  }));
  return (timeS) =>
    parts.reduce(
      (sum, { amount, speed, phase }) => sum + amount * Math.sin(speed * timeS + phase),
      0,
    );
}

function ease(value: number): number {
  const t = Math.min(1, Math.max(0, value));
  return t * t * (3 - 2 * t);
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1));
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}
