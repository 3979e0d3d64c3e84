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
  /**
   * When the faces of all sets up to the last but one, and to the last one, are found. Finding waits
   * for the former; seeing people and scoring wait for the last set.
   */
  #found: readonly [toLastButOne: Promise<unknown>, toLast: Promise<unknown>] = [Promise.resolve(), Promise.resolve()]; // prettier-ignore
  #seen: Promise<unknown> = Promise.resolve();
  #scored: Promise<unknown> = Promise.resolve();
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
   * Faces, people, embeddings, scores of one frame set; closes the set. Sets go through in their
   * order. Where the next one is there already, its faces are looked for while this one's still are:
   * a thread that is done with its cameras does not wait for the others.
   * @throws ClmexError `engine-failed` where a network breaks.
   */
  process(set: FrameSet): Promise<PipelineResult> {
    const [toLastButOne, toLast] = this.#found;
    const found = toLastButOne.then(() => this.#find(set));
    const seen = Promise.all([found, settled(this.#seen)]).then(([one]) => this.#see(one));
    const scored = Promise.all([seen, settled(this.#scored)]).then(([one]) => this.#score(one));
    this.#found = [toLast, toLast.then(() => settled(found)).then(() => undefined)];
    this.#seen = seen;
    this.#scored = scored;
    return scored;
  }

  /** Between two sets: from the next one on the model that inference has prepared serves. */
  swap(model: Model): Promise<void> {
    const swapped = Promise.all([settled(this.#seen), settled(this.#scored)]).then(async () => {
      await this.#parts.inference.adopt();
      this.#fuse.close();
      this.#fuse = new FuseStage(model);
    });
    this.#seen = swapped;
    return swapped;
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

  async #find(set: FrameSet): Promise<Found> {
    const watch = new StageWatch(this.#parts.clock.nowMs() - set.atMs);
    const faces = await this.#findFaces(set).finally(() => set.close());
    watch.lap('faces');
    return { set, faces, watch };
  }

  #see({ set, faces, watch }: Found): Seen {
    watch.resume();
    const groups = this.#views.push(faces, set.atMs);
    this.#seeds = seedsFor(groups, set.frames.keys(), this.#calibration);
    const changes = this.#views.takeChanges();
    watch.lap('views');
    // Asked for before the next set's faces are, which would hold it up.
    const embedded = this.#embed(groups).finally(() => watch.lap('embed'));
    void settled(embedded);
    return { set, faces, changes, embedded, watch };
  }

  async #score({ set, faces, changes, embedded, watch }: Seen): Promise<PipelineResult> {
    const groups = await embedded;
    const scores = groups.map(({ group, embeddings }) =>
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
      groups,
      scores,
      changes,
      stageMs: watch.stageMs,
    };
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

interface Found {
  readonly set: FrameSet;
  readonly faces: readonly Face[];
  readonly watch: StageWatch;
}

/** A set whose people are known and whose embeddings are under way. */
interface Seen extends Found {
  readonly changes: readonly SubjectChange[];
  readonly embedded: Promise<EmbeddedGroup[]>;
}

/** When it is over, however it went. */
const settled = (work: Promise<unknown>): Promise<unknown> => work.catch(() => undefined);

/** Work is measured in real time even where the pipeline's own clock is a virtual one. */
class StageWatch {
  readonly stageMs: Record<string, number>;
  #last = performance.now();

  constructor(syncMs: number) {
    this.stageMs = { sync: syncMs };
  }

  /** What has passed since the last lap was a wait for an earlier set. */
  resume(): void {
    this.#last = performance.now();
  }

  lap(stage: string): void {
    const now = performance.now();
    this.stageMs[stage] = now - this.#last;
    this.#last = now;
  }
}
