import type { DropReason, RawFrame, StampSource } from '../../core/types.js';
import { CameraClock } from './camera-clock.js';
import { Delays } from './delays.js';
import { Rhythm } from './rhythm.js';

/** A frame that waits for its set. */
export interface Held {
  readonly raw: RawFrame;
  capturedMs: number;
  /** Stamped by the clock as it was before it was set: the mapping is final. */
  settled: boolean;
}

/** Most frames of one camera that wait; the pool has more slots than this. */
const MOST_HELD = 40;
const RECENT = 64;
/** How much longer overtaken frames are waited for than the longest so far was, and how that fades. */
const OVERTAKEN_SLACK_MS = 1;
const OVERTAKEN_FADE = 0.998;
/** A clock set forward by whole periods is found out after so long at most. */
const UNNOTICED_MS = 250;
/** A camera whose last frames all came too late for any set is not waited for. */
const LATE_STREAK = 8;
/** Sources whose stamps are on the runtime's clock. */
const EXACT = new Set<string>(['file', 'rtp', 'arrival']);
/** Two hosts that keep their clocks by NTP on one network agree to a few milliseconds. */
const NTP_UNCERTAINTY_MS = 10;
/** Uncertainty of a frame stamped on arrival: nobody knows how long it was under way. */
const ARRIVAL_UNCERTAINTY_MS = 40;

/** What `sync` knows of one camera: its clock, its rhythm, its delays, its waiting frames. */
export class Lane {
  readonly cameraId: string;
  readonly held: Held[] = [];
  readonly drops: Partial<Record<DropReason, number>> = {};
  readonly #leastDelayMs: number;
  readonly #rhythm = new Rhythm();
  readonly #clock: CameraClock;
  readonly #delays = new Delays();
  /** The last frames that fitted, by stamp. */
  readonly #recent: Pick<RawFrame, 'stampMs' | 'arrivedAtMs'>[] = [];
  #lateStreak = 0;
  #lastStampMs = NaN;
  #clockVersion = -1;
  /** Frames that came in, whatever became of them. */
  entered = 0;
  /** Frames that left in sets. */
  left = 0;
  ended = false;
  disconnected = false;
  /** Capture time of the newest frame, on the runtime's clock; later ones come after it. */
  lastCapturedMs = -Infinity;
  lastArrivedMs = -Infinity;
  /** Capture time of the frame that the last set took; Infinity where it took none. */
  servedMs = Infinity;
  /** How long after the frame that overtook it a frame may come; 0 where none is overtaken. */
  overtakenMs = 0;
  stampSource: StampSource | undefined;

  constructor(cameraId: string, leastDelayMs: number) {
    this.cameraId = cameraId;
    this.#leastDelayMs = leastDelayMs;
    this.#clock = new CameraClock(leastDelayMs, this.#rhythm);
  }

  get clock() {
    if (this.stampSource === undefined) return {};
    const { stampSource } = this;
    if (this.exact)
      return { stampSource, offsetMs: 0, driftPpm: 0, uncertaintyMs: this.uncertaintyMs(0) };
    const { offsetMs, driftPpm } = this.#clock;
    return {
      stampSource,
      offsetMs,
      driftPpm,
      uncertaintyMs: this.uncertaintyMs(this.#lastStampMs),
    };
  }

  /** Interval between captures; 0 until known. */
  get periodMs(): number {
    return this.#rhythm.periodMs;
  }

  /** The instant of the camera's beat nearest to `atMs`, on the runtime's clock; NaN until known. */
  beatNear(atMs: number): number {
    const beatMs = this.#mapped(this.#rhythm.beatMs);
    const { periodMs } = this.#rhythm;
    return periodMs > 0 ? beatMs + Math.round((atMs - beatMs) / periodMs) * periodMs : NaN;
  }

  /** The camera's next frame is captured no sooner; −Infinity until its rhythm is known. */
  get soonestMs(): number {
    const { periodMs, beatMs, toleranceMs } = this.#rhythm;
    if (periodMs === 0) return -Infinity;
    return Math.max(this.lastCapturedMs, this.#mapped(beatMs) + periodMs - toleranceMs);
  }

  /** Captures of the frames before and after one that waits; the next to come is guessed. */
  neighboursOf({ raw, capturedMs, settled }: Held): number[] {
    const { periodMs } = this;
    if (settled) return [capturedMs - periodMs, capturedMs + periodMs];
    const at = this.#recent.findLastIndex(({ stampMs }) => stampMs === raw.stampMs);
    const [before, after] = [this.#recent[at - 1], this.#recent[at + 1]];
    return [
      ...(before === undefined ? [] : [this.#mapped(before.stampMs)]),
      after === undefined ? capturedMs + periodMs : this.#mapped(after.stampMs),
    ];
  }

  /** How long after its beat a frame of this camera is worth waiting for; Infinity until known. */
  get patienceMs(): number {
    return this.#delays.patienceMs;
  }

  /** Times the camera's clock was found set. */
  get steps(): number {
    return this.#clock.steps;
  }

  /** The camera's last frames all came too late for any set: it is not waited for. */
  get hopeless(): boolean {
    return this.#lateStreak >= LATE_STREAK;
  }

  uncertaintyMs(stampMs: number): number {
    if (this.stampSource === 'file') return 0;
    if (this.stampSource === 'rtp') return NTP_UNCERTAINTY_MS;
    if (this.stampSource === 'arrival') return ARRIVAL_UNCERTAINTY_MS;
    return this.#clock.uncertaintyMs(stampMs);
  }

  /** How far a mapped time may lie after the capture. */
  get lateMs(): number {
    return this.exact ? 0 : this.#clock.lateMs;
  }

  drop(frame: RawFrame, reason: DropReason): void {
    this.drops[reason] = (this.drops[reason] ?? 0) + 1;
    frame.close();
  }

  /** Drops what waits and was captured before `endMs`. */
  dropBefore(endMs: number, reason: (held: Held) => DropReason): void {
    while (this.held.length > 0 && this.held[0]!.capturedMs < endMs) {
      const held = this.held.shift()!;
      this.drop(held.raw, reason(held));
    }
  }

  /** Takes a frame in, or drops it under a reason. Capture times before `closedMs` are late. */
  push(raw: RawFrame, closedMs: number, maxWaitMs: number): void {
    this.entered++;
    this.stampSource = raw.stampSource;
    this.disconnected = false;
    this.lastArrivedMs = Math.max(this.lastArrivedMs, raw.arrivedAtMs);
    const overtaken = this.#fillsHole(raw.stampMs);
    const reason = this.#refusal(raw, overtaken);
    if (reason !== undefined) {
      this.drop(raw, reason);
      return;
    }
    this.#remember(raw);
    if (!overtaken) {
      if (!(raw.stampMs <= this.#lastStampMs)) this.#rhythm.push(raw.stampMs);
      this.#lastStampMs = raw.stampMs;
    }
    const before = this.held.at(-1);
    const mapped = this.#map(raw);
    const capturedMs = before?.settled === true ? Math.max(mapped, before.capturedMs) : mapped;
    if (!overtaken) this.lastCapturedMs = capturedMs;
    // Not since the capture: a frame that comes late because it was captured late is late too.
    if (this.periodMs > 0) this.#delays.push(raw.arrivedAtMs - this.beatNear(capturedMs));
    this.#lateStreak = raw.arrivedAtMs - capturedMs > maxWaitMs ? this.#lateStreak + 1 : 0;
    if (capturedMs < closedMs) {
      // A set that took a frame of this camera lacks nothing: this one is merely one more.
      this.drop(raw, capturedMs > this.servedMs ? 'superseded' : 'late');
      return;
    }
    const after = overtaken ? this.held.findIndex((held) => held.capturedMs > capturedMs) : -1;
    this.held.splice(after < 0 ? this.held.length : after, 0, { raw, capturedMs, settled: false });
    if (this.held.length > MOST_HELD) this.drop(this.held.shift()!.raw, 'backpressure');
  }

  #remember({ stampMs, arrivedAtMs }: RawFrame): void {
    const at = 1 + this.#recent.findLastIndex((other) => other.stampMs < stampMs);
    this.overtakenMs *= OVERTAKEN_FADE;
    const by = this.#recent[at];
    if (by !== undefined) {
      const lag = arrivedAtMs - by.arrivedAtMs + OVERTAKEN_SLACK_MS;
      this.overtakenMs = Math.max(this.overtakenMs, lag);
    }
    this.#recent.splice(at, 0, { stampMs, arrivedAtMs });
    if (this.#recent.length > RECENT) this.#recent.shift();
  }

  /** A stamp that goes back is an overtaken frame's where the beat has a hole, else a clock's that was set. */
  #fillsHole(stampMs: number): boolean {
    if (!(stampMs < this.#lastStampMs) || stampMs < (this.#recent[0]?.stampMs ?? Infinity))
      return false;
    const { toleranceMs, periodMs } = this.#rhythm;
    const offMs = this.#rhythm.place(stampMs)?.offMs;
    if (offMs === undefined || Math.abs(offMs) > toleranceMs || this.#clock.doubting) return false;
    return this.#recent.every((other) => Math.abs(other.stampMs - stampMs) > periodMs / 2);
  }

  /** Stamps are on the runtime's clock already: nothing has to be learned. */
  get exact(): boolean {
    return EXACT.has(this.stampSource ?? '');
  }

  #refusal(raw: RawFrame, overtaken: boolean): DropReason | undefined {
    const { stampMs, arrivedAtMs } = raw;
    if (!Number.isFinite(stampMs) || !Number.isFinite(arrivedAtMs)) return 'invalid-stamp';
    if (overtaken) return undefined;
    if (stampMs <= this.#lastStampMs && this.#recent.some((other) => other.stampMs === stampMs))
      return 'duplicate';
    if (this.exact) return stampMs < this.#lastStampMs ? 'out-of-order' : undefined;
    const observation = this.#clock.observe(stampMs, arrivedAtMs);
    if (observation === 'doubtful') {
      if (this.#clock.changed) this.#dropSinceGap();
      const swapped = this.#lastStampMs - stampMs;
      return swapped > 0 && swapped < 250 ? 'out-of-order' : 'clock-step';
    }
    if (observation === 'step') {
      // What waits was stamped by the clock as it was: its mapping stays.
      for (const held of this.held) held.settled = true;
      this.#lastStampMs = NaN;
      this.#recent.length = 0;
    }
    return undefined;
  }

  /** The clock was set forward by whole periods, unnoticed: what seemed lost frames was the step. */
  #dropSinceGap(): void {
    const { periodMs } = this;
    const stamps = this.#recent.map(({ stampMs }) => stampMs);
    const at = stamps.findLastIndex((ms, i) => i > 0 && ms - stamps[i - 1]! > 1.5 * periodMs);
    if (at < 0 || this.#lastStampMs - stamps[at]! > UNNOTICED_MS) return;
    for (const held of this.held.filter(({ raw }) => raw.stampMs >= stamps[at]!)) {
      if (held.settled) continue;
      this.held.splice(this.held.indexOf(held), 1);
      this.drop(held.raw, 'clock-step');
    }
  }

  #map(raw: RawFrame): number {
    if (!this.exact && this.#clock.version !== this.#clockVersion) {
      this.#clockVersion = this.#clock.version;
      for (const held of this.held) {
        if (!held.settled) held.capturedMs = this.#clock.map(held.raw.stampMs);
      }
    }
    return this.#mapped(raw.stampMs);
  }

  #mapped(stampMs: number): number {
    if (this.stampSource === 'arrival') return stampMs - this.#leastDelayMs;
    return this.exact ? stampMs : this.#clock.map(stampMs);
  }
}
