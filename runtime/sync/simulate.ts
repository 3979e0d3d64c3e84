import type { RawFrame, StampSource } from '../../core/types.js';

/** How long frames are under way: the least, plus a log-normal rest, and now and then a long stall. */
interface SimulatedDelay {
  readonly leastMs: number;
  /** Median of what is added to the least. */
  readonly medianMs: number;
  /** Deviation of its logarithm: 1 and more is a heavy tail. */
  readonly spread: number;
  /** Added delays beyond this are cut off to it. */
  readonly mostMs: number;
}

export interface SimulatedCamera {
  readonly id: string;
  readonly rateHz: number;
  /** First capture, true time. */
  readonly phaseMs: number;
  /** Capture follows its own crystal (free-running) or a common trigger. */
  readonly freeRunning: boolean;
  /** Normal deviation of the capture instants. */
  readonly jitterMs: number;
  /** Camera's clock minus true time at 0. */
  readonly offsetMs: number;
  readonly driftPpm: number;
  readonly delay: SimulatedDelay;
  /** Share of frames that are lost. */
  readonly dropShare: number;
  readonly duplicateShare?: number | undefined;
  /** Share of frames that the next one overtakes. */
  readonly reorderShare?: number | undefined;
  readonly events?: readonly SimulatedEvent[] | undefined;
}

export type SimulatedEvent =
  /** The clock is set. */
  | { readonly kind: 'step'; readonly atMs: number; readonly byMs: number }
  /** No frames between the two. */
  | { readonly kind: 'dead'; readonly atMs: number; readonly untilMs: number }
  /** All frames are under way longer between the two. */
  | {
      readonly kind: 'late';
      readonly atMs: number;
      readonly untilMs: number;
      readonly byMs: number;
    }
  /** Frames of this time arrive together at its end. */
  | { readonly kind: 'burst'; readonly atMs: number; readonly untilMs: number }
  /** From here on another frame rate. */
  | { readonly kind: 'rate'; readonly atMs: number; readonly rateHz: number };

export interface SimulatedFrame {
  readonly cameraId: string;
  readonly sequence: number;
  readonly trueMs: number;
  readonly stampMs: number;
  /** `device` where nothing is said. */
  readonly stampSource?: StampSource;
  readonly arrivedAtMs: number;
}

/** Repeatable random numbers in 0 … 1 (mulberry32, public domain, by Tommy Ettinger). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Box and Muller's normal deviates. */
export function normalOf(random: () => number): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** What the cameras deliver in `durationMs`, in order of arrival. */
export function simulate(
  cameras: readonly SimulatedCamera[],
  durationMs: number,
  seed: number,
): SimulatedFrame[] {
  const frames = cameras.flatMap((camera, i) =>
    simulateCamera(camera, durationMs, seed + i * 7919),
  );
  return frames.sort((a, b) => a.arrivedAtMs - b.arrivedAtMs || (a.cameraId < b.cameraId ? -1 : 1));
}

function simulateCamera(
  camera: SimulatedCamera,
  durationMs: number,
  seed: number,
): SimulatedFrame[] {
  const random = randomOf(seed);
  const normal = normalOf(random);
  const clock = clockOf(camera);
  const frames: SimulatedFrame[] = [];
  const stretch = camera.freeRunning ? 1 - camera.driftPpm * 1e-6 : 1;
  let sequence = 0;
  let overtaken: number | undefined;
  let lastArrived = -Infinity;
  for (let at = camera.phaseMs; at < durationMs; at += (1000 / rateAt(camera, at)) * stretch) {
    const trueMs = Math.max(0, at + camera.jitterMs * normal());
    const added = camera.delay.medianMs * Math.exp(camera.delay.spread * normal());
    const delay = camera.delay.leastMs + Math.min(added, camera.delay.mostMs);
    const lost = random() < camera.dropShare || isDead(camera, trueMs);
    const twice = random() < (camera.duplicateShare ?? 0);
    const swapped = random() < (camera.reorderShare ?? 0);
    if (lost) continue;
    let arrivedAtMs = arrival(camera, trueMs, trueMs + delay);
    // One stream delivers in order: a fast frame waits behind a slow one.
    arrivedAtMs = Math.max(arrivedAtMs, lastArrived);
    lastArrived = arrivedAtMs;
    if (overtaken !== undefined) {
      frames[overtaken] = { ...frames[overtaken]!, arrivedAtMs: arrivedAtMs + 0.01 };
      overtaken = undefined;
    }
    const frame = { cameraId: camera.id, sequence, trueMs, stampMs: clock(trueMs), arrivedAtMs };
    sequence++;
    frames.push(frame);
    if (swapped) overtaken = frames.length - 1;
    if (twice) frames.push({ ...frame, arrivedAtMs: arrivedAtMs + 0.02 });
  }
  return frames;
}

function clockOf({ offsetMs, driftPpm, events = [] }: SimulatedCamera): (trueMs: number) => number {
  const steps = events.filter((event) => event.kind === 'step');
  return (trueMs) =>
    steps.reduce(
      (stamp, { atMs, byMs }) => stamp + (trueMs >= atMs ? byMs : 0),
      trueMs * (1 + driftPpm * 1e-6) + offsetMs,
    );
}

function rateAt({ rateHz, events = [] }: SimulatedCamera, ms: number): number {
  return events.reduce((rate, event) => event.kind === 'rate' && ms >= event.atMs ? event.rateHz : rate, rateHz); // prettier-ignore
}

function isDead({ events = [] }: SimulatedCamera, ms: number): boolean {
  return events.some((event) => event.kind === 'dead' && ms >= event.atMs && ms < event.untilMs);
}

function arrival({ events = [] }: SimulatedCamera, trueMs: number, arrivedAtMs: number): number {
  return events.reduce((arrived, event) => {
    if (event.kind !== 'late' && event.kind !== 'burst') return arrived;
    if (trueMs < event.atMs || trueMs >= event.untilMs) return arrived;
    return event.kind === 'late' ? arrived + event.byMs : Math.max(arrived, event.untilMs);
  }, arrivedAtMs);
}

const NO_PIXELS = new Uint8Array(new SharedArrayBuffer(3));

/** A frame without a picture; `onClose` is told once. */
export function rawFrameOf(frame: SimulatedFrame, onClose?: () => void): RawFrame {
  let open = true;
  return {
    cameraId: frame.cameraId,
    sequence: frame.sequence,
    stampMs: frame.stampMs,
    stampSource: frame.stampSource ?? 'device',
    arrivedAtMs: frame.arrivedAtMs,
    width: 1,
    height: 1,
    pixels: NO_PIXELS,
    close: () => {
      if (open) onClose?.();
      open = false;
    },
  };
}
