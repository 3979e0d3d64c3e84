import type { FrameSetStatus, Percentiles } from '../core/protocol.js';
import type { FrameSet } from '../core/types.js';
import type { Model } from '../encoder/index.js';
import { mergeCameras, openCamera, Timeline, type Camera } from './camera/index.js';
import { VirtualClock } from './clock.js';
import type { Config } from './config.js';
import { Health } from './health.js';
import type { Inference } from './inference/inference.js';
import { startInference } from './inference/start.js';
import { configuredModel } from './model.js';
import { Pipeline, type PipelineResult } from './pipeline.js';
import { rigOf } from './rig.js';

export interface ScoreOptions {
  /** Called with every frame set, in order; the run waits for it. */
  readonly onResult: (result: PipelineResult, model: Model) => void | Promise<void>;
  /** Called with every frame set before it is scored; it is closed right after. */
  readonly onSet?: (set: FrameSet) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What an offline run amounted to. */
export interface ScoreSummary {
  readonly model: string;
  readonly engine: string;
  readonly frameSets: Omit<FrameSetStatus, 'rate'>;
  /** Scores of one person at one frame set. */
  readonly scoreCount: number;
  readonly subjects: number;
  readonly cameras: Readonly<Record<string, CameraSummary>>;
  /** Faces that could not be given to anybody. */
  readonly unplacedFaces: number;
  readonly stagesMs: Readonly<Record<string, Percentiles>>;
}

export interface CameraSummary {
  readonly frames: number;
  readonly faces: number;
  readonly drops: Readonly<Record<string, number>>;
  /** Frame sets without this camera, by reason. */
  readonly missing: Readonly<Record<string, number>>;
  /** Why the source broke, where it did; the other cameras were scored to their ends. */
  readonly failure: string | undefined;
}

/**
 * Scores files from beginning to end, as fast as the machine can and without leaving anything out.
 * Frames are taken in the order they arrived when they were recorded, on a virtual clock: the same
 * files give the same frame sets and scores.
 * @throws ClmexError `invalid-config` where a source is not a file, and whatever opening throws.
 */
export async function score(config: Config, options: ScoreOptions): Promise<ScoreSummary> {
  const calibration = await rigOf(config);
  const model = await configuredModel(config);
  const inference = await startInference(config, calibration);
  const clock = new VirtualClock();
  const context = { clock, timeline: new Timeline(clock), realtime: false };
  const cameras: Camera[] = [];
  try {
    for (const [index, camera] of config.cameras.entries()) {
      cameras.push(await openCamera(camera, { ...context, index }));
    }
    const cameraIds = cameras.map(({ id }) => id);
    const pipeline = new Pipeline(
      { cameraIds, sync: config.sync, calibration, subjects: config.subjects },
      { clock, model, inference },
    );
    return await new Run(pipeline, cameras, clock, model, inference).all(options);
  } finally {
    await Promise.all(cameras.map((camera) => camera.close()));
    await inference.close();
  }
}

class Run {
  readonly #pipeline: Pipeline;
  readonly #cameras: readonly Camera[];
  readonly #clock: VirtualClock;
  readonly #model: Model;
  readonly #inference: Inference;
  readonly #health: Health;
  readonly #subjects = new Set<string>();
  readonly #failures = new Map<string, string>();
  #scores = 0;

  constructor(
    pipeline: Pipeline,
    cameras: readonly Camera[],
    clock: VirtualClock,
    model: Model,
    inference: Inference,
  ) {
    this.#pipeline = pipeline;
    this.#cameras = cameras;
    this.#clock = clock;
    this.#model = model;
    this.#inference = inference;
    const ids = cameras.map(({ id }) => id);
    this.#health = new Health(ids, () => inference.info.engine, clock.nowMs());
  }

  async all({ onSet, onResult, signal }: ScoreOptions): Promise<ScoreSummary> {
    const take = async (sets: ReturnType<Pipeline['push']>): Promise<void> => {
      if (onSet !== undefined) sets.forEach(onSet);
      for await (const result of this.#pipeline.processAll(sets)) {
        this.#count(result);
        await onResult(result, this.#model);
      }
    };
    for await (const event of mergeCameras(this.#cameras, this.#clock)) {
      signal?.throwIfAborted();
      await take(this.#pipeline.sync.poll(this.#clock.nowMs()));
      if (event.kind === 'frame') {
        await take(this.#pipeline.push(event.frame));
        continue;
      }
      if (event.kind === 'failed') this.#failures.set(event.cameraId, messageOf(event.error));
      await take(this.#pipeline.sync.cameraEnded(event.cameraId));
    }
    await take(this.#pipeline.close().sets);
    return this.#summary();
  }

  #count(result: PipelineResult): void {
    this.#health.result(result, this.#clock.nowMs());
    this.#scores += result.scores.length;
    for (const { subjectId } of result.scores) this.#subjects.add(subjectId);
  }

  #summary(): ScoreSummary {
    const now = this.#clock.nowMs();
    const { total, complete, partial, spreadMs } = this.#health.frameSets(now);
    const status = this.#health.cameras(now, this.#cameras, this.#pipeline.sync);
    return {
      model: this.#model.manifest.name,
      engine: this.#inference.info.engine,
      frameSets: { total, complete, partial, spreadMs },
      scoreCount: this.#scores,
      subjects: this.#subjects.size,
      cameras: Object.fromEntries(
        status.map(({ cameraId, frames, faces, drops, missing }) => [
          cameraId,
          { frames, faces, drops, missing, failure: this.#failures.get(cameraId) },
        ]),
      ),
      unplacedFaces: this.#pipeline.unplacedFaces,
      stagesMs: this.#health.stagesMs,
    };
  }
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
