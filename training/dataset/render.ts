import { CaptureRenderer, PORTRAIT_SIDE } from '../scene/capture.js';
import type { Studio } from '../scene/people.js';
import { Random } from '../scene/random.js';
import type { PlannedShard } from './plan.js';
import { writeShard, type Shard, type ViewData } from './shard.js';

/** What the landmark model and the crop make of a picture. */
interface MeasuredFace extends ViewData {
  readonly pose: { readonly yawDeg: number; readonly pitchDeg: number; readonly rollDeg: number };
  readonly quality: number;
}

/** Measures the face in an RGB24 picture; undefined where none is found. */
export type MeasureFace = (
  pixels: Uint8Array,
  width: number,
  height: number,
) => Promise<MeasuredFace | undefined>;

/** Renders the shards of a set; one a process. */
export class ShardRenderer {
  readonly #studio: Studio;
  readonly #renderer: CaptureRenderer;
  readonly #measure: MeasureFace;

  constructor(studio: Studio, measure: MeasureFace) {
    this.#studio = studio;
    this.#renderer = new CaptureRenderer(studio);
    this.#measure = measure;
  }

  /**
   * Renders a shard's captures, measures every view as the runtime would and writes the result.
   * @returns how many views there are and in how many a face was found
   */
  async write(
    dir: string,
    { number, split, captures }: PlannedShard,
    views: number,
    seed: number,
  ): Promise<{ views: number; found: number }> {
    const shapeNames = this.#studio.model.expressions.map(({ name }) => name);
    const kept: ViewData[] = [];
    const missedYawDeg: number[] = [];
    const entries: Shard['captures'] = [];
    for (const planned of captures) {
      const person = await this.#studio.person(planned.portraitId, planned.variant);
      const random = new Random(planned.seed);
      const capture = await this.#renderer.capture(person, planned.label, views, random);
      const found: Shard['captures'][number]['views'] = [];
      for (const view of capture.views) {
        const face = await this.#measure(view.pixels, PORTRAIT_SIDE, PORTRAIT_SIDE);
        const trueYawDeg = round(view.pose.yawDeg);
        if (face === undefined) {
          missedYawDeg.push(trueYawDeg);
          continue;
        }
        kept.push(face);
        const { yawDeg, pitchDeg, rollDeg } = face.pose;
        found.push({ yawDeg, pitchDeg, rollDeg, trueYawDeg, quality: face.quality });
      }
      const { label, strength } = capture.recipe;
      const shapes = shapeNames.map((name) => round(capture.shapes[name] ?? 0));
      entries.push({ personId: person.id, split, label, strength, shapes, views: found });
    }
    await writeShard(
      dir,
      number,
      { version: 1, seed, shapeNames, missedYawDeg, captures: entries },
      kept,
    );
    return { views: captures.length * views, found: kept.length };
  }
}

const round = (value: number): number => Math.round(value * 1000) / 1000;
