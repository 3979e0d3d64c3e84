import type { ParameterSlot } from '../../encoder/formats/tfjs.js';

/** One number array per kind of memory an optimiser keeps (momentum, squares, …). */
export type OptimiserState = Readonly<Record<string, Float32Array>>;

export interface UpdateContext {
  /** Steps taken before this one. */
  readonly step: number;
  readonly learningRate: number;
  readonly slots: readonly ParameterSlot[];
}

/**
 * A gradient transformation: `init` makes its memory, `update` changes parameters and memory in
 * place. Nothing else is remembered, so that saving both and going on gives the very same numbers.
 */
export interface Optimiser {
  init(length: number): OptimiserState;
  update(
    parameters: Float32Array,
    gradient: Float32Array,
    state: OptimiserState,
    context: UpdateContext,
  ): void;
}

export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** Adam with decoupled weight decay; Loshchilov & Hutter 2019, algorithm 2. */
export function adamW({ beta1, beta2, epsilon, weightDecay }: AdamWOptions): Optimiser {
  return {
    init: (length) => ({ mean: new Float32Array(length), square: new Float32Array(length) }),
    update: (parameters, gradient, { mean, square }, { step, learningRate, slots }) => {
      const [m, v] = [mean!, square!];
      const correction1 = 1 - beta1 ** (step + 1);
      const correction2 = 1 - beta2 ** (step + 1);
      for (const { offset, length, decays } of slots) {
        const decay = decays ? learningRate * weightDecay : 0;
        for (let i = offset; i < offset + length; i++) {
          const g = gradient[i]!;
          m[i] = beta1 * m[i]! + (1 - beta1) * g;
          v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
          const change = m[i]! / correction1 / (Math.sqrt(v[i]! / correction2) + epsilon);
          parameters[i] = parameters[i]! - learningRate * change - decay * parameters[i]!;
        }
      }
    },
  };
}

export interface MomentumOptions {
  readonly momentum: number;
  readonly weightDecay: number;
  /** Above 0: layer-wise trust ratio, times this; LARS (You et al. 2017). */
  readonly trust?: number | undefined;
}

/** Stochastic gradient descent with momentum; with `trust` its step is scaled layer by layer. */
export function momentumSgd({ momentum, weightDecay, trust = 0 }: MomentumOptions): Optimiser {
  return {
    init: (length) => ({ velocity: new Float32Array(length) }),
    update: (parameters, gradient, { velocity }, { learningRate, slots }) => {
      for (const { offset, length, decays } of slots) {
        const decay = decays ? weightDecay : 0;
        const ratio =
          trust > 0 && decays ? trustRatio(parameters, gradient, offset, length, decay, trust) : 1;
        for (let i = offset; i < offset + length; i++) {
          const g = ratio * (gradient[i]! + decay * parameters[i]!);
          velocity![i] = momentum * velocity![i]! + g;
          parameters[i] = parameters[i]! - learningRate * velocity![i]!;
        }
      }
    },
  };
}

function trustRatio(
  parameters: Float32Array,
  gradient: Float32Array,
  offset: number,
  length: number,
  decay: number,
  trust: number,
): number {
  let [weights, gradients] = [0, 0];
  for (let i = offset; i < offset + length; i++) {
    weights += parameters[i]! ** 2;
    gradients += gradient[i]! ** 2;
  }
  const [w, g] = [Math.sqrt(weights), Math.sqrt(gradients)];
  return w > 0 && g > 0 ? (trust * w) / (g + decay * w) : 1;
}

/** Linear warm-up, then half a cosine down to zero (Loshchilov & Hutter 2017). */
export function cosineSchedule(step: number, steps: number, warmup: number, peak: number): number {
  if (step < warmup) return (peak * (step + 1)) / warmup;
  const progress = (step - warmup) / Math.max(1, steps - warmup);
  return (peak * (1 + Math.cos(Math.PI * Math.min(1, progress)))) / 2;
}
