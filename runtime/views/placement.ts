import {
  add, apply, IDENTITY3, multiply, nearestRotation, norm, rotationAngleDeg, scale, subtract, transpose,
  type Mat3, type Vec3,
} from '../../core/geometry.js'; // prettier-ignore
import type { Face } from '../../core/types.js';
import type { Placement } from './observation.js';

/** One pair of faces' opinion on where camera b stands in camera a's frame: X_a = R · X_b + t. */
interface Opinion extends Placement {
  /** Larger head distance of the two: the error of a metric face grows with it. */
  readonly distance: number;
}

const KEPT = 240;
const SAME_ANGLE_DEG = 20;
const SAME_SHARE_OF_DISTANCE = 0.22;
/** Opinions that must agree before a pair of cameras counts as placed. */
const ENOUGH = 6;

/**
 * Places the cameras of an uncalibrated rig by the heads they see. The metric face says where a head
 * is and how it is turned in each camera, so every pair of faces in two cameras proposes how those
 * cameras stand to each other. Pairs of one person agree with each other, across people and time,
 * pairs of different people do not: the mode is the rig.
 */
export class SelfPlacement {
  readonly #polls = new Map<string, Poll>();
  readonly #cameraIds: readonly string[];
  #placements = new Map<string, Placement>();

  constructor(cameraIds: readonly string[]) {
    this.#cameraIds = cameraIds;
    const [only] = cameraIds;
    if (cameraIds.length === 1)
      this.#placements.set(only!, { rotation: IDENTITY3, translation: [0, 0, 0] });
  }

  get placements(): ReadonlyMap<string, Placement> {
    return this.#placements;
  }

  push(faces: readonly Face[]): void {
    let news = false;
    for (const [i, a] of faces.entries()) {
      for (const b of faces.slice(i + 1)) {
        if (a.cameraId === b.cameraId) continue;
        const [first, second] = a.cameraId < b.cameraId ? [a, b] : [b, a];
        this.#remember(`${first.cameraId}\0${second.cameraId}`, opinionOf(first, second));
        news = true;
      }
    }
    if (news) this.#place();
  }

  #remember(pair: string, opinion: Opinion): void {
    const poll = this.#polls.get(pair) ?? new Poll();
    poll.add(opinion);
    this.#polls.set(pair, poll);
  }

  /** Walks from the best-connected camera along the best-supported pairs. */
  #place(): void {
    const edges = [...this.#polls.entries()]
      .map(([pair, poll]) => ({ pair: pair.split('\0') as [string, string], ...poll.mode }))
      .filter(({ support }) => support >= ENOUGH)
      .sort((a, b) => b.support - a.support);
    const [strongest] = edges;
    if (strongest === undefined) return;
    const root = this.#placements.keys().next().value ?? strongest.pair[0];
    const placed = new Map<string, Placement>([
      [root, { rotation: IDENTITY3, translation: [0, 0, 0] }],
    ]);
    for (let grown = true; grown && placed.size < this.#cameraIds.length;) {
      const edge = edges.find(({ pair: [a, b] }) => placed.has(a) !== placed.has(b));
      grown = edge !== undefined;
      if (edge !== undefined) extend(placed, edge.pair, edge.placement);
    }
    this.#placements = placed;
  }
}

function opinionOf(a: Face, b: Face): Opinion {
  const rotation = multiply(a.head.rotation, transpose(b.head.rotation));
  const [pa, pb] = [a.head.position, b.head.position];
  return {
    rotation,
    translation: subtract(pa, apply(rotation, pb)),
    distance: Math.max(norm(pa), norm(pb)),
  };
}

/** The last opinions on one pair of cameras, each with how many of them agree with it. */
class Poll {
  readonly #kept: { readonly opinion: Opinion; support: number }[] = [];
  #mode: { placement: Placement; support: number } | undefined;

  add(opinion: Opinion): void {
    const entry = { opinion, support: 1 };
    for (const other of this.#agreeing(opinion)) {
      other.support += 1;
      entry.support += 1;
    }
    this.#kept.push(entry);
    if (this.#kept.length > KEPT) {
      const gone = this.#kept.shift()!;
      for (const other of this.#agreeing(gone.opinion)) other.support -= 1;
    }
    this.#mode = undefined;
  }

  /** The opinion most others agree with (the latest of equals), averaged over those that do. */
  get mode(): { placement: Placement; support: number } {
    if (this.#mode === undefined) {
      const best = this.#kept.reduce((a, b) => (b.support >= a.support ? b : a));
      const agreeing = this.#agreeing(best.opinion).map(({ opinion }) => opinion);
      this.#mode = { placement: average(agreeing), support: agreeing.length };
    }
    return this.#mode;
  }

  #agreeing(opinion: Opinion): { readonly opinion: Opinion; support: number }[] {
    return this.#kept.filter((other) => agrees(opinion, other.opinion));
  }
}

function agrees(a: Opinion, b: Opinion): boolean {
  const room = SAME_SHARE_OF_DISTANCE * Math.max(a.distance, b.distance);
  return (
    norm(subtract(a.translation, b.translation)) < room &&
    rotationAngleDeg(a.rotation, b.rotation) < SAME_ANGLE_DEG
  );
}

function average(opinions: readonly Opinion[]): Placement {
  let translation: Vec3 = [0, 0, 0];
  const sum = new Array<number>(9).fill(0);
  for (const opinion of opinions) {
    translation = add(translation, scale(opinion.translation, 1 / opinions.length));
    for (let i = 0; i < 9; i++) sum[i]! += opinion.rotation[i]! / opinions.length;
  }
  return {
    rotation: nearestRotation(sum as unknown as Mat3) ?? opinions[0]!.rotation,
    translation,
  };
}

/** X_a = R X_b + t and X_a = R_a X_w + t_a give X_b = Rᵀ R_a X_w + Rᵀ (t_a − t), and the reverse. */
function extend(
  placed: Map<string, Placement>,
  [a, b]: readonly [string, string],
  { rotation, translation }: Placement,
): void {
  const known = placed.get(a);
  if (known !== undefined) {
    const back = transpose(rotation);
    placed.set(b, {
      rotation: multiply(back, known.rotation),
      translation: apply(back, subtract(known.translation, translation)),
    });
    return;
  }
  const other = placed.get(b)!;
  placed.set(a, {
    rotation: multiply(rotation, other.rotation),
    translation: add(apply(rotation, other.translation), translation),
  });
}
