import type { DropReason, Frame, FrameSet, MissingReason, RawFrame } from '../../core/types.js';
import { leastDelayOf, syncSchema, type SyncConfig } from './config.js';
import { frameSet } from './frame-set.js';
import { Lane, type Held } from './lane.js';
import { withoutWrongPairs } from './rivals.js';
import { Ticker, wrap } from './ticker.js';

export interface SyncOptions extends Partial<SyncConfig> {
  readonly cameraIds: readonly string[];
}

/** What is known of a camera's clock. */
export interface ClockEstimate {
  readonly stampSource?: RawFrame['stampSource'];
  /** Camera's clock minus runtime's clock. */
  readonly offsetMs?: number;
  readonly driftPpm?: number;
  readonly uncertaintyMs?: number;
}

/** Frames a camera shows before the first set is gathered, unless `maxWaitMs` passes first. */
const FIRST_FRAMES = 4;
/** Without a known rhythm for so long, the first set is gathered at this one. */
const RHYTHM_WAIT_MS = 2000;
const RHYTHM_UNKNOWN_MS = 1000 / 30;
/** A camera without a frame for so many of its periods, and so many times `maxWaitMs`, is silent. */
const SILENT_PERIODS = 5;
const SILENT_WAITS = 2;
/** Cameras whose rate differs from the sets' by more keep no phase: they slip through all of them. */
const SAME_RATE = 0.02;
/** `rateHz: auto`: cameras slower than this share of the fastest do not slow the others down. */
const SLOWEST_SHARE = 0.19;

/** What one camera has to offer for a tick. */
type Offer =
  /** `untilMs`: a nearer one may come until then; −Infinity where none can. */
  | { readonly kind: 'frame'; readonly held: Held; readonly untilMs: number }
  | { readonly kind: 'none'; readonly reason: MissingReason }
  | { readonly kind: 'waiting'; readonly untilMs: number };

/**
 * Frames of all cameras in, frame sets out. Nothing is read from any clock: time is what arrivals
 * and `poll` say, so that the same input gives the same sets.
 *
 * A set closes when it is complete and no frame nearer to its instant can come, when the cameras it
 * lacks have shown that they have none, or at its deadline.
 */
export class SyncStage {
  readonly #config: SyncConfig;
  readonly #lanes: readonly Lane[];
  readonly #byId: ReadonlyMap<string, Lane>;
  readonly #ticker = new Ticker();
  #closedMs = -Infinity;
  #index = 0;
  #nowMs = -Infinity;
  #firstMs = Infinity;
  #nextDeadlineMs = Infinity;
  #closed = false;

  constructor({ cameraIds, ...config }: SyncOptions) {
    this.#config = syncSchema.parse(config);
    this.#lanes = cameraIds.map((id) => new Lane(id, leastDelayOf(this.#config, id)));
    this.#byId = new Map(this.#lanes.map((lane) => [lane.cameraId, lane]));
  }

  /** The stage owns the frame from here on: it leaves in a set or is closed under a reason. */
  push(raw: RawFrame): FrameSet[] {
    const lane = this.#byId.get(raw.cameraId);
    if (this.#closed || lane === undefined) {
      if (lane === undefined) raw.close();
      else lane.drop(raw, 'shutdown');
      return [];
    }
    const earlier = this.poll(raw.arrivedAtMs);
    this.#firstMs = Math.min(this.#firstMs, this.#nowMs);
    lane.push(raw, this.#closedMs, this.#config.maxWaitMs);
    const now = this.#gather();
    return earlier.length === 0 ? now : earlier.concat(now);
  }

  /** Sets whose deadlines have passed. Time never moves backwards. */
  poll(nowMs: number): FrameSet[] {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
    return this.#nowMs >= this.#nextDeadlineMs ? this.#gather() : [];
  }

  /** When `poll` has something to do again; Infinity while nothing waits. */
  get nextDeadlineMs(): number {
    return this.#nextDeadlineMs;
  }

  /** No more frames come from this camera. */
  cameraEnded(cameraId: string): FrameSet[] {
    const lane = this.#byId.get(cameraId);
    if (lane !== undefined) lane.ended = true;
    return this.#closed ? [] : this.#gather();
  }

  /** The camera's source is being opened again: it is not waited for until its next frame. */
  cameraDisconnected(cameraId: string): FrameSet[] {
    const lane = this.#byId.get(cameraId);
    if (lane !== undefined) lane.disconnected = true;
    return this.#closed ? [] : this.#gather();
  }

  /** The last sets; frames pushed afterwards are dropped as `shutdown`. */
  close(): FrameSet[] {
    if (this.#closed) return [];
    for (const lane of this.#lanes) lane.ended = true;
    const sets = this.#gather();
    this.#closed = true;
    this.#nextDeadlineMs = Infinity;
    for (const lane of this.#lanes) {
      for (const { raw } of lane.held.splice(0)) lane.drop(raw, 'shutdown');
    }
    return sets;
  }

  clockOf(cameraId: string): ClockEstimate {
    return this.#byId.get(cameraId)?.clock ?? {};
  }

  /** Times the camera's clock was found set. */
  stepsOf(cameraId: string): number {
    return this.#byId.get(cameraId)?.steps ?? 0;
  }

  dropsOf(cameraId: string): Readonly<Partial<Record<DropReason, number>>> {
    return { ...this.#byId.get(cameraId)?.drops };
  }

  /** entered = inSets + waiting + the sum of {@link dropsOf}. */
  framesOf(cameraId: string): { entered: number; inSets: number; waiting: number } {
    const lane = this.#byId.get(cameraId);
    return {
      entered: lane?.entered ?? 0,
      inSets: lane?.left ?? 0,
      waiting: lane?.held.length ?? 0,
    };
  }

  #gather(): FrameSet[] {
    const sets: FrameSet[] = [];
    this.#nextDeadlineMs = Infinity;
    if (!this.#ticker.started && !this.#start()) return sets;
    while (this.#lanes.some(({ held }) => held.length > 0)) {
      const offers = this.#offers();
      if (offers === undefined) break;
      const set = this.#close(offers);
      if (set !== undefined) sets.push(set);
    }
    return sets;
  }

  #start(): boolean {
    const captures = this.#lanes.flatMap(({ held }) => held.map(({ capturedMs }) => capturedMs));
    if (captures.length === 0) return false;
    const ready = this.#lanes.every(
      ({ ended, exact, held }) => ended || (exact && held.length >= FIRST_FRAMES),
    );
    const period = this.#periodMs();
    const untilMs =
      period === undefined
        ? this.#firstMs + RHYTHM_WAIT_MS
        : Math.min(...captures) - period / 2 + this.#config.maxWaitMs;
    if (this.#nowMs < untilMs && !(ready && period !== undefined) && !this.#allEnded) {
      this.#nextDeadlineMs = untilMs;
      return false;
    }
    this.#ticker.start(captures, period ?? RHYTHM_UNKNOWN_MS);
    // What was captured while the rhythm was learned can be too old for any set.
    this.#ticker.skipBefore(this.#nowMs - this.#config.maxWaitMs);
    this.#closedMs = this.#ticker.atMs - this.#ticker.periodMs / 2;
    for (const lane of this.#lanes) lane.dropBefore(this.#closedMs, () => 'late');
    return true;
  }

  get #allEnded(): boolean {
    return this.#lanes.every(({ ended }) => ended);
  }

  /** Undefined until a camera has shown its rhythm. */
  #periodMs(): number | undefined {
    const { rateHz } = this.#config;
    if (rateHz !== 'auto') return 1000 / rateHz;
    let fastest = Infinity;
    for (const lane of this.#lanes) {
      if (lane.periodMs > 0 && !this.#silent(lane)) fastest = Math.min(fastest, lane.periodMs);
    }
    if (fastest === Infinity) return undefined;
    let slowest = fastest;
    for (const lane of this.#lanes) {
      if (this.#silent(lane) || lane.periodMs * SLOWEST_SHARE > fastest) continue;
      slowest = Math.max(slowest, lane.periodMs);
    }
    return slowest;
  }

  /** What every camera has for the tick; undefined while one is worth waiting for. */
  #offers(): Offer[] | undefined {
    const offers = this.#lanes.map((lane) => this.#offer(lane));
    let deadlineMs = -Infinity;
    for (const offer of offers) {
      if (offer.kind !== 'none') deadlineMs = Math.max(deadlineMs, offer.untilMs);
    }
    deadlineMs = Math.min(deadlineMs, this.#ticker.atMs + this.#config.maxWaitMs);
    if (deadlineMs <= this.#nowMs) return offers;
    this.#nextDeadlineMs = deadlineMs;
    return undefined;
  }

  #offer(lane: Lane): Offer {
    const { atMs, periodMs } = this.#ticker;
    const endMs = atMs + periodMs / 2;
    const tolerance = this.#toleranceMs;
    let best: Held | undefined;
    let passed: Held | undefined;
    for (const held of lane.held) {
      if (held.capturedMs >= endMs) {
        passed = held;
        break;
      }
      if (held.capturedMs < atMs - periodMs / 2) continue;
      if (!best || Math.abs(held.capturedMs - atMs) < Math.abs(best.capturedMs - atMs)) best = held;
    }
    const { soonestMs } = lane;
    const gone = lane.ended || lane.disconnected;
    if (best !== undefined && Math.abs(best.capturedMs - atMs) <= tolerance) {
      const distance = Math.abs(best.capturedMs - atMs);
      const final =
        passed !== undefined || gone || best.capturedMs >= atMs || soonestMs - atMs >= distance;
      return { kind: 'frame', held: best, untilMs: final ? -Infinity : this.#dueMs(lane) };
    }
    if (passed !== undefined || soonestMs >= endMs) {
      const untilMs = (passed?.raw.arrivedAtMs ?? lane.lastArrivedMs) + lane.overtakenMs;
      if (best === undefined && !gone && untilMs > this.#nowMs) return { kind: 'waiting', untilMs };
      const slow = lane.periodMs > 1.5 * periodMs;
      const reason = best !== undefined || slow ? 'out-of-tolerance' : 'dropped';
      return { kind: 'none', reason };
    }
    if (lane.ended) return { kind: 'none', reason: 'ended' };
    if (lane.disconnected) return { kind: 'none', reason: 'disconnected' };
    if (lane.entered === 0) return { kind: 'none', reason: 'not-started' };
    if (lane.hopeless) return { kind: 'none', reason: 'late' };
    if (this.#silent(lane)) return { kind: 'none', reason: 'silent' };
    return { kind: 'waiting', untilMs: this.#dueMs(lane) };
  }

  /** When the lane's frame of this tick would have come, if it were coming. */
  #dueMs(lane: Lane): number {
    const { atMs, periodMs } = this.#ticker;
    const latestMs = atMs + periodMs / 2;
    const beatMs = lane.beatNear(atMs);
    return (beatMs < latestMs ? beatMs : latestMs) + lane.patienceMs;
  }

  #silent(lane: Lane): boolean {
    const patience = Math.max(
      SILENT_PERIODS * lane.periodMs,
      SILENT_WAITS * this.#config.maxWaitMs,
    );
    return this.#nowMs - lane.lastArrivedMs > patience;
  }

  #close(offers: readonly Offer[]): FrameSet | undefined {
    const { atMs, periodMs } = this.#ticker;
    const chosen = this.#choose(offers);
    const frames = new Map<string, Frame>();
    const missing = new Map<string, MissingReason>();
    for (const [i, lane] of this.#lanes.entries()) {
      const offer = offers[i]!;
      const held = chosen.get(lane);
      lane.servedMs = held?.capturedMs ?? Infinity;
      if (held !== undefined) frames.set(lane.cameraId, this.#take(lane, held));
      else missing.set(lane.cameraId, reasonOf(offer));
    }
    this.#closedMs = atMs + periodMs / 2;
    const tolerance = this.#toleranceMs;
    const reason = ({ capturedMs }: Held): DropReason =>
      Math.abs(capturedMs - atMs) > tolerance ? 'out-of-tolerance' : 'superseded';
    for (const lane of this.#lanes) lane.dropBefore(this.#closedMs, reason);
    this.#advance(frames.size === 0);
    if (frames.size === 0) return undefined;
    if (this.#config.policy === 'complete' && missing.size > 0) {
      for (const lane of this.#lanes) {
        const frame = frames.get(lane.cameraId);
        if (frame === undefined) continue;
        lane.left--;
        lane.drop(frame, 'incomplete-set');
      }
      return undefined;
    }
    return frameSet(this.#index++, atMs, frames, missing);
  }

  get #toleranceMs(): number {
    return Math.min(this.#config.toleranceMs, this.#ticker.periodMs / 2);
  }

  /** Every camera's frame nearest to the tick, but for those that would be wrong beside another. */
  #choose(offers: readonly Offer[]): Map<Lane, Held> {
    const { atMs, periodMs } = this.#ticker;
    const nearest = new Map<Lane, Held>();
    for (const [i, offer] of offers.entries()) {
      if (offer.kind === 'frame') nearest.set(this.#lanes[i]!, offer.held);
    }
    return withoutWrongPairs(nearest, atMs, periodMs);
  }

  #take(lane: Lane, held: Held): Frame {
    lane.held.splice(lane.held.indexOf(held), 1);
    lane.left++;
    const { raw, capturedMs } = held;
    return {
      cameraId: raw.cameraId,
      sequence: raw.sequence,
      stampMs: raw.stampMs,
      stampSource: raw.stampSource,
      arrivedAtMs: raw.arrivedAtMs,
      width: raw.width,
      height: raw.height,
      pixels: raw.pixels,
      capturedAtMs: capturedMs,
      uncertaintyMs: lane.uncertaintyMs(raw.stampMs),
      close: () => raw.close(),
    };
  }

  #advance(empty: boolean): void {
    const period = this.#periodMs() ?? this.#ticker.periodMs;
    const { atMs } = this.#ticker;
    const phases = this.#lanes
      .filter((lane) => !lane.ended && !this.#silent(lane))
      .filter((lane) => Math.abs(lane.periodMs - period) < SAME_RATE * period)
      .map((lane) => wrap(lane.beatNear(atMs) - lane.lateMs / 2 - atMs, period));
    this.#ticker.advance(phases, period);
    if (!empty) return;
    const earliest = Math.min(...this.#lanes.map(({ held }) => held[0]?.capturedMs ?? Infinity));
    if (earliest !== Infinity) this.#ticker.skipTo(earliest);
  }
}

function reasonOf(offer: Offer): MissingReason {
  if (offer.kind === 'none') return offer.reason;
  return offer.kind === 'frame' ? 'out-of-tolerance' : 'late';
}
