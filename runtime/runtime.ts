import { fileURLToPath } from 'node:url';
import manifest from '../package.json' with { type: 'json' };
import type { RuntimeStatus } from '../core/protocol.js';
import { ClmexError } from '../core/errors.js';
import type { Clock, ExpressionScores, FrameSet } from '../core/types.js';
import type { RigCalibration } from '../calibration/index.js';
import type { Model } from '../encoder/index.js';
import { openCamera, PicturesThread, Timeline, type Camera } from './camera/index.js';
import { systemClock } from './clock.js';
import type { Config } from './config.js';
import { Health } from './health.js';
import type { Inference } from './inference/inference.js';
import { DEFAULT_MODEL, startInference } from './inference/start.js';
import { configuredModel } from './model.js';
import { Live } from './live.js';
import { Pipeline, type PipelineResult } from './pipeline.js';
import { Previews } from './previews.js';
import { rigOf } from './rig.js';
import { StreamServer, type StreamServerOptions } from './stream/server.js';
import type { SubjectChange } from './views/views.js';

const STATUS_EVERY_MS = 1000;
// Beside the chunks, as the inference worker.
const PICTURES_WORKER = new URL('../pictures-worker.js', import.meta.url);
const DASHBOARD = fileURLToPath(new URL('../dashboard', import.meta.url));

export interface RuntimeEvents {
  scores: (scores: readonly ExpressionScores[]) => void;
  subject: (change: SubjectChange) => void;
  status: (status: Omit<RuntimeStatus, 'stream'>) => void;
}

/** Cameras to scores to clients, live. Whoever starts it closes it. */
export class Runtime {
  readonly #config: Config;
  readonly #clock: Clock;
  readonly #inference: Inference;
  readonly #stream: StreamServer;
  readonly #pipeline: Pipeline;
  #model: Model;
  readonly #health: Health;
  readonly #previews: Previews | undefined;
  readonly #live: Live;
  readonly #cameras: readonly Camera[];
  readonly #pictures: PicturesThread;
  readonly #listeners: { [K in keyof RuntimeEvents]: Set<RuntimeEvents[K]> } = {
    scores: new Set(),
    subject: new Set(),
    status: new Set(),
  };
  /** Resolves when every camera has ended or the runtime was closed; rejects where a stage broke. */
  readonly finished: Promise<void>;
  /** One swap after the other. */
  #swapped: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout;
  #closing: Promise<void> | undefined;

  private constructor(
    config: Config,
    { clock, cameras, pictures, model, inference, stream, calibration }: RuntimeParts,
  ) {
    this.#config = config;
    this.#clock = clock;
    this.#inference = inference;
    this.#stream = stream;
    this.#model = model;
    const cameraIds = config.cameras.map(({ id }) => id);
    this.#pipeline = new Pipeline(
      { cameraIds, sync: config.sync, calibration, subjects: config.subjects },
      { clock: this.#clock, model, inference },
    );
    this.#health = new Health(cameraIds, () => inference.info.engine, this.#clock.nowMs());
    this.#previews = config.privacy.previews ? new Previews(config.privacy) : undefined;
    this.#cameras = cameras;
    this.#pictures = pictures;
    this.#live = new Live(this.#pipeline, cameras, this.#clock, (set) => this.#handle(set), {
      frame: (cameraId) => this.#health.frame(cameraId, this.#clock.nowMs()),
      skipped: (set) => {
        for (let i = 0; i < set.frames.size; i++) this.#health.drop('backpressure');
      },
    });
    this.#timer = setInterval(() => {
      this.#publishChanges(this.#pipeline.expire(this.#clock.nowMs()));
      this.#publishStatus();
    }, STATUS_EVERY_MS);
    this.finished = this.#run();
  }

  /** @throws ClmexError naming what could not be loaded, opened or listened on. */
  static async start(config: Config): Promise<Runtime> {
    const opened: { close(): Promise<void> }[] = [];
    const keep = <T extends { close(): Promise<void> }>(part: T): T => {
      opened.push(part);
      return part;
    };
    try {
      const clock = systemClock;
      const calibration = await rigOf(config);
      const cameras: Camera[] = [];
      const pictures = keep(new PicturesThread(PICTURES_WORKER));
      let runtime: Runtime | undefined;
      const crowded = (): boolean => runtime !== undefined && runtime.#live.crowded;
      // A camera that comes back within a second would pass between two regular looks.
      const onStatus = (): void => {
        if (runtime !== undefined) runtime.#publishStatus();
      };
      const context = { clock, timeline: new Timeline(clock), pictures, crowded, onStatus };
      for (const [index, camera] of config.cameras.entries()) {
        cameras.push(keep(await openCamera(camera, { ...context, index })));
      }
      const model = await configuredModel(config);
      const stream = keep(await StreamServer.listen(streamOptions(config, model)));
      const inference = keep(await startInference(config, calibration));
      return (runtime = new Runtime(config, { clock, cameras, pictures, model, inference, stream, calibration })); // prettier-ignore
    } catch (error) {
      await Promise.all(opened.map((part) => part.close()));
      throw error;
    }
  }

  /** Where the dashboard and the scores are. */
  get url(): string {
    return this.#stream.url;
  }

  get config(): Config {
    return this.#config;
  }

  on<K extends keyof RuntimeEvents>(event: K, listener: RuntimeEvents[K]): () => void {
    this.#listeners[event].add(listener);
    return () => this.#listeners[event].delete(listener);
  }

  status(): Omit<RuntimeStatus, 'stream'> {
    return this.#health.status(this.#clock.nowMs(), this.#cameras, this.#pipeline.sync);
  }

  /**
   * Goes over to another model package without a gap: it is loaded and warmed beside the running one
   * and serves from the next frame set on. Where it cannot, the running one goes on serving.
   * @param directory the package; the configured one, read again, where left out.
   * @throws ClmexError `model-invalid`, `not-found`, …; `invalid-argument` where labels or crops
   *   differ: clients and the faces stage know those of the start.
   */
  swapModel(directory = this.#config.model): Promise<void> {
    const done = this.#swapped.then(() => this.#swap(directory));
    this.#swapped = done.catch(() => undefined);
    return done;
  }

  async #swap(directory: string | undefined): Promise<void> {
    const model = await configuredModel({ ...this.#config, model: directory });
    const [before, after] = [this.#model.manifest.labels, model.manifest.labels];
    if (before.join() !== after.join()) {
      throw new ClmexError('invalid-argument', 'the model has other labels than the running one', {
        field: 'model.labels',
        value: after,
        allowed: `${before.join(', ')}; else start again`,
      });
    }
    await this.#inference.prepare(directory ?? DEFAULT_MODEL);
    await this.#pipeline.swap(model);
    this.#model = model;
  }

  /** Ends cameras, children, the worker and the server; safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#cameras.map((camera) => camera.close()));
    await this.finished.catch(() => undefined);
    await this.#pictures.close();
    await this.#inference.close();
    await this.#stream.close();
  }

  async #run(): Promise<void> {
    try {
      await this.#live.run();
    } finally {
      this.#publishChanges(this.#pipeline.close().changes);
      this.#publishStatus();
    }
  }

  async #handle(set: FrameSet): Promise<void> {
    const thumbnails = this.#previews?.take(set, (id) => this.#stream.wantsPreview(id)) ?? [];
    const result = await this.#pipeline.process(set);
    const nowMs = this.#clock.nowMs();
    this.#health.result(result, nowMs);
    this.#health.latency(nowMs - result.atMs);
    this.#publishChanges(result.changes);
    this.#publishScores(result);
    if (thumbnails.length > 0) {
      void this.#previews?.encode(thumbnails, result).then((previews) => {
        for (const preview of previews) this.#stream.publishPreview(preview);
      });
    }
  }

  #publishScores({ scores }: PipelineResult): void {
    this.#stream.publishScores(scores);
    for (const listener of this.#listeners.scores) listener(scores);
  }

  #publishChanges(changes: readonly SubjectChange[]): void {
    for (const change of changes) {
      this.#stream.publishSubject(change);
      for (const listener of this.#listeners.subject) listener(change);
    }
  }

  #publishStatus(): void {
    const status = this.status();
    this.#stream.publishStatus(status);
    for (const listener of this.#listeners.status) listener(status);
  }
}

interface RuntimeParts {
  readonly clock: Clock;
  readonly cameras: readonly Camera[];
  readonly pictures: PicturesThread;
  readonly model: Model;
  readonly inference: Inference;
  readonly stream: StreamServer;
  readonly calibration: RigCalibration | undefined;
}

function streamOptions(config: Config, { manifest: { labels } }: Model): StreamServerOptions {
  return {
    stream: config.stream,
    previews: config.privacy.previews,
    labels,
    cameraIds: config.cameras.map(({ id }) => id),
    version: manifest.version,
    dashboardDirectory: DASHBOARD,
  };
}
