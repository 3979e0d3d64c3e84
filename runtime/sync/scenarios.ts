import { randomOf, type SimulatedCamera, type SimulatedEvent } from './simulate.js';

export interface Scenario {
  readonly name: string;
  readonly cameras: readonly SimulatedCamera[];
  readonly durationMs: number;
  readonly seed: number;
}

interface RigOptions {
  readonly count: number;
  readonly rateHz: number;
  readonly seed: number;
  readonly freeRunning: boolean;
  readonly events?: Readonly<Record<number, readonly SimulatedEvent[]>>;
}

/**
 * Cameras with clocks within ± 80 ms and ± 200 ppm, transport of 5–60 ms with a heavy tail beyond,
 * 2 % lost frames. Triggered together, or running free each at its own phase and crystal.
 */
export function rigOf({ count, rateHz, seed, freeRunning, events }: RigOptions): SimulatedCamera[] {
  const random = randomOf(seed);
  const between = (low: number, high: number): number => low + (high - low) * random();
  return Array.from({ length: count }, (_, i) => ({
    id: `cam${i}`,
    rateHz,
    phaseMs: freeRunning ? between(0, 1000 / rateHz) : 10,
    freeRunning,
    jitterMs: 0.5,
    offsetMs: between(-80, 80),
    driftPpm: between(-200, 200),
    delay: { leastMs: 5, medianMs: 8, spread: 0.8, mostMs: 300 },
    dropShare: 0.02,
    events: events?.[i],
  }));
}

const MINUTE = 60_000;

/** Cameras like those of {@link rigOf}, each of its own rate. */
export function scenarioOf(options: {
  readonly rates: readonly number[];
  readonly freeRunning: boolean;
  readonly seed: number;
  readonly seconds: number;
}): Scenario {
  const { rates, freeRunning, seed, seconds } = options;
  const count = rates.length;
  const cameras = rates.map((rateHz, i) => rigOf({ count, rateHz, seed, freeRunning })[i]!);
  const name = `${freeRunning ? 'free-running' : 'triggered'} ${rates.join(', ')} fps`;
  return { name, cameras, durationMs: seconds * 1000, seed };
}

/** The benchmark's streams. */
export function scenarios(seed: number): Scenario[] {
  const rig = (options: Partial<RigOptions>) =>
    rigOf({ count: 8, rateHz: 30, seed, freeRunning: false, ...options });
  const dead = { kind: 'dead', atMs: 20_000, untilMs: 40_000 } as const;
  const late = { kind: 'late', atMs: 20_000, untilMs: 40_000, byMs: 400 } as const;
  const step = (atMs: number, byMs: number) => ({ kind: 'step', atMs, byMs }) as const;
  return [
    { name: 'triggered', cameras: rig({}), durationMs: 10 * MINUTE, seed },
    { name: 'free-running', cameras: rig({ freeRunning: true }), durationMs: 10 * MINUTE, seed },
    { name: 'one dead', cameras: rig({ events: { 3: [dead] } }), durationMs: MINUTE, seed },
    { name: 'one 400 ms late', cameras: rig({ events: { 3: [late] } }), durationMs: MINUTE, seed },
    {
      name: 'clock steps',
      cameras: rig({ events: { 2: [step(20_000, 2000)], 5: [step(30_000, -2000)] } }),
      durationMs: MINUTE,
      seed,
    },
    { name: '8 × 60 fps', cameras: rig({ rateHz: 60 }), durationMs: 2 * MINUTE, seed },
  ];
}
