/** A smooth function of several numbers: its value; its derivative is added into `gradient`, which comes as zeros. */
export type Objective = (at: Float64Array, gradient: Float64Array) => number;

const MEMORY = 10;
const MOST_STEPS = 500;
const TOLERANCE = 1e-6;
const SUFFICIENT = 1e-4;
const MOST_HALVINGS = 30;

/**
 * Where a function is least, by L-BFGS (Nocedal & Wright 2006, algorithm 7.4) with backtracking: until no
 * derivative is larger than the tolerance or 500 steps are done. `start` stays as it is.
 */
export function minimise(
  objective: Objective,
  start: Float64Array,
  tolerance = TOLERANCE,
): Float64Array {
  let at = start.slice();
  let gradient = new Float64Array(at.length);
  let loss = objective(at, gradient);
  const steps: Float64Array[] = [];
  const changes: Float64Array[] = [];
  for (let step = 0; step < MOST_STEPS && largest(gradient) > tolerance; step++) {
    const direction = descend(gradient, steps, changes);
    const slope = dot(direction, gradient);
    let length = steps.length === 0 ? 1 / Math.max(1, Math.sqrt(dot(gradient, gradient))) : 1;
    let next = at;
    let nextGradient = gradient;
    let nextLoss = Infinity;
    for (let half = 0; half < MOST_HALVINGS; half++, length /= 2) {
      next = at.map((value, i) => value + length * direction[i]!);
      nextGradient = new Float64Array(at.length);
      nextLoss = objective(next, nextGradient);
      if (nextLoss <= loss + SUFFICIENT * length * slope) break;
    }
    if (!(nextLoss < loss)) break; // No better place that numbers can tell.
    const change = nextGradient.map((value, i) => value - gradient[i]!);
    const moved = next.map((value, i) => value - at[i]!);
    // Where the function is not convex, curvature that is none would turn the next step uphill.
    if (dot(moved, change) > 0) {
      remember(steps, moved);
      remember(changes, change);
    }
    [at, gradient, loss] = [next, nextGradient, nextLoss];
  }
  return at;
}

/** Two-loop recursion: −H · gradient for the remembered curvature. */
function descend(gradient: Float64Array, steps: readonly Float64Array[], changes: readonly Float64Array[]): Float64Array {
  const direction = gradient.map((value) => -value);
  const rates = steps.map((step, i) => 1 / dot(step, changes[i]!));
  const shares: number[] = [];
  for (let i = steps.length - 1; i >= 0; i--) {
    shares[i] = rates[i]! * dot(steps[i]!, direction);
    addScaled(direction, changes[i]!, -shares[i]!);
  }
  const last = steps.length - 1;
  if (last >= 0) {
    const scale = 1 / (rates[last]! * dot(changes[last]!, changes[last]!));
    direction.forEach((value, i) => (direction[i] = scale * value));
  }
  for (let i = 0; i < steps.length; i++) {
    addScaled(direction, steps[i]!, shares[i]! - rates[i]! * dot(changes[i]!, direction));
  }
  return direction;
} // prettier-ignore

function remember(list: Float64Array[], entry: Float64Array): void {
  list.push(entry);
  if (list.length > MEMORY) list.shift();
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function addScaled(a: Float64Array, b: Float64Array, scale: number): void {
  for (let i = 0; i < a.length; i++) a[i]! += scale * b[i]!;
}

const largest = (values: Float64Array): number =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
