import { Random } from './random.js';

/** How wrong one camera's clock and cable are. */
export interface ClockFaults {
  /** The camera's clock at the recording's start, milliseconds. */
  readonly offsetMs: number;
  /** How much too fast the camera's clock runs, parts in a million. */
  readonly driftPpm: number;
  /** Standard deviation of the stamps, milliseconds. */
  readonly jitterMs: number;
  /** Shortest time from capture to arrival, milliseconds. */
  readonly delayMs: number;
  /** Mean of the exponential delay on top, milliseconds. */
  readonly extraDelayMs: number;
  /** Share of the frames that never arrive. */
  readonly dropped: number;
  /** Share of the frames that arrive `lateMs` later still. */
  readonly late: number;
  readonly lateMs: number;
  /** First capture after the start, milliseconds: cameras do not start together. */
  readonly phaseMs: number;
}

/** When a frame was captured, what its stamp says and when it arrived. */
export interface FrameTimes {
  readonly trueCapturedAtMs: number;
  readonly stampMs: number;
  readonly arrivedAtMs: number;
  /** Counts the frames that arrived. */
  readonly sequence: number;
}

/**
 * The times of a free-running camera's frames, in order of arrival.
 * @param startMs the first instant on the recorder's clock
 */
export function frameTimes(
  faults: ClockFaults,
  startMs: number,
  lengthMs: number,
  fps: number,
  seed: string,
): FrameTimes[] {
  const random = new Random(seed);
  const arrived: Omit<FrameTimes, 'sequence'>[] = [];
  // The camera's own clock times its exposures, so drift stretches the period as well.
  const periodMs = 1000 / fps / (1 + faults.driftPpm * 1e-6);
  let lastMs = -Infinity;
  for (let atMs = faults.phaseMs; atMs < lengthMs; atMs += periodMs) {
    const [noise, delay, drop, late] = [
      random.normal(),
      random.next(),
      random.next(),
      random.next(),
    ];
    if (drop < faults.dropped) continue;
    const stampMs = faults.offsetMs + atMs * (1 + faults.driftPpm * 1e-6) + faults.jitterMs * noise;
    const waitMs =
      faults.delayMs -
      faults.extraDelayMs * Math.log(1 - delay) +
      (late < faults.late ? faults.lateMs : 0);
    // One cable: what waits holds up what follows.
    lastMs = Math.max(lastMs + 0.1, startMs + atMs + waitMs);
    arrived.push({ trueCapturedAtMs: startMs + atMs, stampMs, arrivedAtMs: lastMs });
  }
  return arrived.map((times, sequence) => ({ ...times, sequence }));
}

/** Cameras that start together, stamp exactly and deliver at once. */
export const NO_FAULTS: ClockFaults = {
  offsetMs: 0,
  driftPpm: 0,
  jitterMs: 0,
  delayMs: 0,
  extraDelayMs: 0,
  dropped: 0,
  late: 0,
  lateMs: 0,
  phaseMs: 0,
};

/** Ordinary faults: seconds of offset, a second a day of drift, a stumbling cable. */
export function randomFaults(seed: string, fps: number): ClockFaults {
  const random = new Random(seed);
  return {
    offsetMs: random.uniform(1_000, 100_000),
    driftPpm: random.uniform(-90, 90),
    jitterMs: random.uniform(0.3, 1.8),
    delayMs: random.uniform(12, 40),
    extraDelayMs: random.uniform(1, 6),
    dropped: random.uniform(0.01, 0.035),
    late: random.uniform(0.01, 0.03),
    lateMs: random.uniform(60, 160),
    phaseMs: random.uniform(0, 1000 / fps),
  };
}
