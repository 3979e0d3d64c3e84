import { boxOverlap, type Detection } from './detection.js';
import type { Look } from './detector.js';
import type { FaceModels, Range } from './models.js';
import { letterbox, type Pixels } from './region.js';

export type DetectorChoice = Range | 'auto';

/** Ranges to load for a choice. */
export function rangesOf(choice: DetectorChoice): readonly Range[] {
  return choice === 'auto' ? ['short', 'full'] : [choice];
}

/** Share of the picture's longer side from which on the short range sees a face as well. */
const NEAR = 0.25;
const SAME_FACE = 0.3;

/** What one camera's faces were like, so that the next search starts with the right model. */
export interface SearchMemory {
  near: boolean;
}

/** Searches whole pictures, with the model that suits the faces' size. */
export class FaceFinder {
  readonly #models: FaceModels;
  readonly #choice: DetectorChoice;

  constructor(models: FaceModels, choice: DetectorChoice) {
    this.#models = models;
    this.#choice = choice;
  }

  /** Faces of each picture, best first; pictures go through a model together. */
  async find(
    pictures: readonly Pixels[],
    memories: readonly SearchMemory[],
    wide: boolean,
  ): Promise<Detection[][]> {
    const found: Detection[][] = pictures.map(() => []);
    const passes = this.#passes(wide);
    for (const { range, turns } of passes) {
      const wanted = pictures
        .map((picture, i) => ({ picture, i }))
        .filter(({ i }) => found[i]!.length === 0);
      const looks = wanted.flatMap(({ picture, i }) =>
        turns.map((turn) => ({ picture, i, region: letterbox(picture, (turn * Math.PI) / 2) })),
      );
      const results = await this.#models.detectors[range]!.detect(looks satisfies Look[]);
      looks.forEach(({ i }, k) => found[i]!.push(...results[k]!));
    }
    found.forEach((detections, i) => {
      const faces = distinct(detections);
      found[i] = faces;
      const side = Math.max(pictures[i]!.width, pictures[i]!.height);
      if (faces[0] !== undefined) memories[i]!.near = faces[0].box.width > NEAR * side;
    });
    return found;
  }

  /** Upright first; lying faces only where nothing stands. */
  #passes(wide: boolean): { range: Range; turns: number[] }[] {
    const order: Range[] = this.#choice === 'auto' ? ['full', 'short'] : [this.#choice];
    const upright = order.map((range) => ({ range, turns: [0] }));
    return wide ? [...upright, ...order.map((range) => ({ range, turns: [1, 3] }))] : upright;
  }
}

/** Best first, each face once. */
export function distinct(detections: readonly Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const detection of [...detections].sort((a, b) => b.score - a.score)) {
    if (kept.every(({ box }) => boxOverlap(box, detection.box) < SAME_FACE)) kept.push(detection);
  }
  return kept;
}
