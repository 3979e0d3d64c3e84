import type { Model } from '../encoder/index.js';
import type { RigCalibration } from '../calibration/index.js';
import type {
  Clock, Embedding, ExpressionScores, Face, Frame, FrameSet, MissingReason, RawFrame, ViewGroup,
} from '../core/types.js'; // prettier-ignore
import { FuseStage } from './fuse/fuse.js';
import type { FaceSeed, Inference } from './inference/inference.js';
import { SyncStage, type SyncConfig } from './sync/index.js';
import { seedsFor } from './views/seeds.js';
import { ViewsStage, type SubjectChange } from './views/views.js';

export interface PipelineOptions {
  readonly cameraIds: readonly string[];
  readonly sync: SyncConfig;
  /** Of upright frames. */
  readonly calibration?: RigCalibration | undefined;
  readonly subjects: { readonly max: number; readonly leftAfterMs: number };
}

/** What a pipeline works with; injected, so that a test scripts time and faces. */
export interface PipelineParts {
  readonly clock: Clock;
  readonly model: Model;
  readonly inference: Inference;
}

/** The faces of one person with what the encoder made of them, in the same order. */
export interface EmbeddedGroup {
  readonly group: ViewGroup;
  readonly embeddings: readonly Embedding[];
}

/** Everything one frame set led to. */
export interface PipelineResult {
  readonly index: number;
  readonly atMs: number;
  readonly spreadMs: number;
  readonly cameraIds: readonly string[];
  readonly missing: ReadonlyMap<string, MissingReason>;
  readonly faces: readonly Face[];
  readonly groups: readonly EmbeddedGroup[];
  readonly scores: readonly ExpressionScores[];
  readonly changes: readonly SubjectChange[];
  /** Milliseconds of work a stage; `sync` is the wait from the set's instant to its leaving sync. */
  readonly stageMs: Readonly<Record<string, number>>;
}

/** camera → sync → faces → views → embed → fuse: the only file that composes stages. */
export class Pipeline {
  readonly sync: SyncStage;
  readonly #views: ViewsStage;
  #fuse: FuseStage;
  /** What uses the networks waits for what did before. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #parts: PipelineParts;
  readonly #calibration: RigCalibration | undefined;
  #seeds: readonly FaceSeed[] = [];

  constructor(options: PipelineOptions, parts: PipelineParts) {
    this.#parts = parts;
    this.#calibration = options.calibration;
    this.sync = new SyncStage({ cameraIds: options.cameraIds, ...options.sync });
    this.#fuse = new FuseStage(parts.model);
    this.#views = new ViewsStage({
      cameraIds: options.cameraIds,
      calibration: options.calibration,
      maxSubjects: options.subjects.max,
      leftAfterMs: options.subjects.leftAfterMs,
    });
  }

  get unplacedFaces(): number {
    return this.#views.unplacedFaces;
  }

  /** Frame in, the frame sets it completed out; the caller takes each through {@link process}. */
  push(frame: RawFrame): FrameSet[] {
    return this.sync.push(frame);
  }

  /**
   * Faces, people, embeddings, scores of one frame set; closes the set. Sets go through one after
   * the other: tracking needs their order.
   * @throws ClmexError `engine-failed` where a network breaks.
   */
  process(set: FrameSet): Promise<PipelineResult> {
    return this.#inTurn(() => this.#process(set));
  }

  /** Between two sets: from the next one on the model that inference has prepared serves. */
  swap(model: Model): Promise<void> {
    return this.#inTurn(async () => {
      await this.#parts.inference.adopt();
      this.#fuse.close();
      this.#fuse = new FuseStage(model);
    });
  }

  /** Takes sets through one after the other; those not reached when something breaks are closed. */
  async *processAll(sets: readonly FrameSet[]): AsyncGenerator<PipelineResult, void, void> {
    try {
      for (const set of sets) yield await this.process(set);
    } finally {
      for (const set of sets) set.close();
    }
  }

  /** Who has left by now, where no frame set came that would have told. */
  expire(nowMs: number): SubjectChange[] {
    this.#views.expire(nowMs);
    return this.#views.takeChanges();
  }

  /** Ends the stages; the sets and changes that were still inside come back. */
  close(): { sets: FrameSet[]; changes: SubjectChange[] } {
    const sets = this.sync.close();
    this.#views.close();
    this.#fuse.close();
    return { sets, changes: this.#views.takeChanges() };
  }

  async #process(set: FrameSet): Promise<PipelineResult> {
    const watch = new StageWatch(this.#parts.clock.nowMs() - set.atMs);
    const faces = await this.#findFaces(set).finally(() => set.close());
    watch.lap('faces');
    const groups = this.#views.push(faces, set.atMs);
    this.#seeds = seedsFor(groups, set.frames.keys(), this.#calibration);
    watch.lap('views');
    const embedded = await this.#embed(groups);
    watch.lap('embed');
    const scores = embedded.map(({ group, embeddings }) =>
      this.#fuse.push(group, embeddings, watch.stageMs),
    );
    watch.lap('fuse');
    return {
      index: set.index,
      atMs: set.atMs,
      spreadMs: set.spreadMs,
      cameraIds: [...set.frames.keys()],
      missing: set.missing,
      faces,
      groups: embedded,
      scores,
      changes: this.#views.takeChanges(),
      stageMs: watch.stageMs,
    };
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  #findFaces({ frames }: FrameSet): Promise<Face[]> {
    const ordered = [...frames.values()].sort((a: Frame, b: Frame) =>
      a.cameraId < b.cameraId ? -1 : 1,
    );
    return this.#parts.inference.faces(ordered, this.#seeds);
  }

  async #embed(groups: readonly ViewGroup[]): Promise<EmbeddedGroup[]> {
    const vectors = await this.#parts.inference.embed(
      groups.flatMap(({ faces }) => faces.map(({ crop, landmarks }) => ({ crop, landmarks }))),
    );
    let next = 0;
    return groups.map((group) => ({
      group,
      embeddings: group.faces.map(({ cameraId }) => ({ cameraId, vector: vectors[next++]! })),
    }));
  }
}

/** Work is measured in real time even where the pipeline's own clock is a virtual one. */
class StageWatch {
  readonly stageMs: Record<string, number>;
  #last = performance.now();

  constructor(syncMs: number) {
    this.stageMs = { sync: syncMs };
  }

  lap(stage: string): void {
    const now = performance.now();
    this.stageMs[stage] = now - this.#last;
    this.#last = now;
  }
}
