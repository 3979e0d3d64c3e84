import type {
  CameraStatus, FrameSetStatus, Percentiles, RuntimeStatus,
} from '../core/protocol.js'; // prettier-ignore
import type { Camera, CameraState } from './camera/index.js';
import type { PipelineResult } from './pipeline.js';
import { Rate, Tally, Window } from './statistics.js';
import type { SyncStage } from './sync/index.js';

/** What a client is told of a camera's state. */
const STATES = {
  connecting: 'starting',
  live: 'live',
  silent: 'silent',
  reconnecting: 'reconnecting',
  ended: 'ended',
  failed: 'failed',
  closed: 'ended',
} as const satisfies Record<CameraState, CameraStatus['state']>;

/** Counts what passes through a runtime and says how it is. */
export class Health {
  readonly #startedMs: number;
  readonly #engine: () => string;
  readonly #drops = new Tally();
  readonly #stages = new Map<string, Window>();
  readonly #spread = new Window();
  readonly #setRate = new Rate();
  readonly #frameRates = new Map<string, Rate>();
  readonly #faces = new Tally();
  readonly #missing = new Map<string, Tally>();
  #total = 0;
  #complete = 0;

  constructor(cameraIds: readonly string[], engine: () => string, nowMs: number) {
    this.#startedMs = nowMs;
    this.#engine = engine;
    for (const id of cameraIds) {
      this.#frameRates.set(id, new Rate());
      this.#missing.set(id, new Tally());
    }
  }

  frame(cameraId: string, nowMs: number): void {
    this.#frameRates.get(cameraId)?.count(nowMs);
  }

  drop(reason: string): void {
    this.#drops.add(reason);
  }

  result(result: PipelineResult, nowMs: number): void {
    this.#total++;
    if (result.missing.size === 0) this.#complete++;
    for (const [id, reason] of result.missing) this.#missing.get(id)?.add(reason);
    for (const { cameraId } of result.faces) this.#faces.add(cameraId);
    this.#spread.push(result.spreadMs);
    this.#setRate.count(nowMs);
    for (const [stage, ms] of Object.entries(result.stageMs)) this.#window(stage).push(ms);
  }

  /** Milliseconds from the capture of a set's frames to its scores. */
  latency(captureToScoreMs: number): void {
    this.#window('captureToScore').push(captureToScoreMs);
  }

  status(
    nowMs: number,
    cameras: readonly Camera[],
    sync: SyncStage,
  ): Omit<RuntimeStatus, 'stream'> {
    return {
      atMs: nowMs,
      uptimeMs: nowMs - this.#startedMs,
      engine: this.#engine(),
      cameras: this.cameras(nowMs, cameras, sync),
      frameSets: this.frameSets(nowMs),
      stagesMs: this.stagesMs,
      drops: this.#drops.counts,
    };
  }

  cameras(nowMs: number, cameras: readonly Camera[], sync: SyncStage): CameraStatus[] {
    return cameras.map((camera) => this.#camera(camera, sync, nowMs));
  }

  frameSets(nowMs: number): FrameSetStatus {
    return {
      total: this.#total,
      complete: this.#complete,
      partial: this.#total - this.#complete,
      rate: this.#setRate.perSecond(nowMs),
      spreadMs: this.#spread.percentiles,
    };
  }

  get stagesMs(): Record<string, Percentiles> {
    return Object.fromEntries(
      [...this.#stages].map(([name, { percentiles }]) => [name, percentiles]),
    );
  }

  #window(stage: string): Window {
    let window = this.#stages.get(stage);
    if (window === undefined) this.#stages.set(stage, (window = new Window()));
    return window;
  }

  #camera(camera: Camera, sync: SyncStage, nowMs: number): CameraStatus {
    const source = camera.status();
    const clock = sync.clockOf(camera.id);
    return {
      cameraId: camera.id,
      state: STATES[source.state],
      ...(source.detail !== undefined && { detail: source.detail }),
      fps: this.#frameRates.get(camera.id)?.perSecond(nowMs) ?? 0,
      width: source.width,
      height: source.height,
      frames: source.frames,
      faces: this.#faces.counts[camera.id] ?? 0,
      ...clock,
      drops: { ...source.drops, ...sync.dropsOf(camera.id) },
      missing: this.#missing.get(camera.id)?.counts ?? {},
    };
  }
}
