import type { Face } from '../../core/types.js';
import type { EncoderView } from '../embed/embed.js';
import type {
  FaceSeed, FramePixels, Inference, InferenceInfo, InferenceOptions,
} from './inference.js'; // prettier-ignore
import { InferenceThread } from './thread.js';

/** Views worth a run of the encoder of their own. */
const FEWEST_VIEWS = 2;

/**
 * Several threads that each hold the networks. A camera stays with one of them, which follows its
 * faces; the views of a frame set are shared out. Networks this small gain more from running side by
 * side than from threads within one operator.
 */
export class InferenceThreads implements Inference {
  readonly #threads: readonly InferenceThread[];
  readonly #homes = new Map<string, number>();

  private constructor(threads: readonly InferenceThread[]) {
    this.#threads = threads;
  }

  /**
   * @param count threads, 1 or more.
   * @throws ClmexError whatever loading the models throws: `model-invalid`, `engine-failed`, …
   */
  static async start(
    script: URL,
    options: InferenceOptions,
    count: number,
  ): Promise<InferenceThreads> {
    // The first one measures where the engine is `auto`; the others find what it remembered.
    const threads = [await InferenceThread.start(script, options)];
    const others = await Promise.allSettled(
      Array.from({ length: count - 1 }, () => InferenceThread.start(script, options)),
    );
    for (const other of others) if (other.status === 'fulfilled') threads.push(other.value);
    const failed = others.find((other) => other.status === 'rejected');
    if (failed === undefined) return new InferenceThreads(threads);
    await Promise.all(threads.map((thread) => thread.close()));
    throw failed.reason;
  }

  /** Of the first thread, or of one whose device failed. */
  get info(): InferenceInfo {
    const all = this.#threads.map(({ info }) => info);
    return all.find(({ engine }) => engine.includes('failed')) ?? all[0]!;
  }

  async faces(frames: readonly FramePixels[], seeds: readonly FaceSeed[]): Promise<Face[]> {
    const shares = this.#threads.map(async (thread, i) => {
      const own = frames.filter(({ cameraId }) => this.#homeOf(cameraId) === i);
      const hints = seeds.filter(({ cameraId }) => this.#homeOf(cameraId) === i);
      return own.length === 0 ? [] : thread.faces(own, hints);
    });
    const found = (await Promise.all(shares)).flat();
    return frames.flatMap(({ cameraId }) => found.filter((face) => face.cameraId === cameraId));
  }

  async embed(views: readonly EncoderView[]): Promise<Float32Array[]> {
    const most = Math.max(1, Math.floor(views.length / FEWEST_VIEWS));
    const parts = Math.min(this.#threads.length, most);
    const share = Math.ceil(views.length / parts);
    const vectors = this.#threads
      .slice(0, parts)
      .map((thread, i) => thread.embed(views.slice(i * share, (i + 1) * share)));
    return (await Promise.all(vectors)).flat();
  }

  async prepare(model: string): Promise<void> {
    await this.#each((thread) => thread.prepare(model));
  }

  async adopt(): Promise<void> {
    await this.#each((thread) => thread.adopt());
  }

  async close(): Promise<void> {
    await this.#each((thread) => thread.close());
  }

  async #each(work: (thread: InferenceThread) => Promise<void>): Promise<void> {
    await Promise.all(this.#threads.map(work));
  }

  /** Cameras take turns in the order they are first seen. */
  #homeOf(cameraId: string): number {
    const known = this.#homes.get(cameraId);
    if (known !== undefined) return known;
    const home = this.#homes.size % this.#threads.length;
    this.#homes.set(cameraId, home);
    return home;
  }
}
