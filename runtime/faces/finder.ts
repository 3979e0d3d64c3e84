import { boxOverlap, type Detection } from './detection.js';
import type { FaceModels, Range } from './models.js';
import { letterbox, type Pixels, type Region } from './region.js';

export type DetectorChoice = Range | 'auto';

/** Ranges to load for a choice. */
export function rangesOf(choice: DetectorChoice): readonly Range[] {
  return choice === 'auto' ? ['short', 'full'] : [choice];
}

/** One picture to search, and what is known of its camera. */
export interface Search {
  readonly picture: Pixels;
  readonly memory: SearchMemory;
}

/** What one camera's faces were like, so that the next search starts where they were. */
export class SearchMemory {
  /** Faces were large: the short range sees them and costs a quarter. */
  near = false;
  /** What saw the last face. */
  foundBy: Range | undefined;
  /** Which of the unusual looks comes next. */
  nextUnusual = 0;
}

/** Share of the picture's longer side from which on the short range sees a face as well. */
const NEAR = 0.25;
/** Share of the longer side below which the full range begins to miss faces. */
const SMALL = 1 / 14;
const SAME_FACE = 0.3;
/** Score of the short range that a face on its head never has (0.84 at most on eight portraits). */
const SURE = 0.88;

/** Searches whole pictures, with the model that suits the faces' size. */
export class FaceFinder {
  readonly #models: FaceModels;
  readonly #choice: DetectorChoice;

  constructor(models: FaceModels, choice: DetectorChoice) {
    this.#models = models;
    this.#choice = choice;
  }

  /**
   * Faces of each picture, best first. Pictures go through a model together. Where upright looks
   * find nothing, one unusual look follows (turned, or at a part of a large picture), another one
   * each time, so that a search costs three looks at most.
   */
  async find(searches: readonly Search[]): Promise<Detection[][]> {
    const found = await this.#upright(searches);
    const empty = searches.map((_, i) => i).filter((i) => found[i]!.length === 0);
    const looks = empty.map((i) => {
      const { picture, memory } = searches[i]!;
      const unusual = unusualLooks(picture);
      return { picture, region: unusual[memory.nextUnusual++ % unusual.length]! };
    });
    const more = await this.#detector(this.#choice === 'short' ? 'short' : 'full').detect(looks);
    empty.forEach((i, k) => (found[i] = distinct(more[k]!)));
    return found;
  }

  /**
   * Faces of one picture with every unusual look tried where upright ones find nothing, or nothing
   * sure: the short range takes a face that stands on its head for an upright one. Where a small
   * face is found, smaller ones are looked for in the picture's parts.
   */
  async findThoroughly(picture: Pixels): Promise<Detection[]> {
    const memory = new SearchMemory();
    const order = this.#order(memory);
    const [upright = []] = await this.#upright([{ picture, memory }]);
    const surest = upright[0]?.score ?? 0;
    const sure = memory.foundBy === order[0] || surest > SURE;
    if (upright.length > 0 && sure) {
      const found = memory.near ? await this.#refined(picture, upright) : upright;
      return this.#withSmaller(picture, found);
    }
    const looks = unusualLooks(picture).map((region) => ({ picture, region }));
    for (const range of order) {
      const found = distinct((await this.#detector(range).detect(looks)).flat());
      if ((found[0]?.score ?? 0) > surest) return found;
    }
    return upright;
  }

  /** Near faces as the short range sees them: its boxes and keypoints are finer there. */
  async #refined(picture: Pixels, found: readonly Detection[]): Promise<Detection[]> {
    if (this.#choice !== 'auto') return [...found];
    const [fine = []] = await this.#detector('short').detect([
      { picture, region: letterbox(picture) },
    ]);
    return [...fine, ...found.filter((face) => !fine.some((other) => same(face, other)))];
  }

  async #withSmaller(picture: Pixels, found: Detection[]): Promise<Detection[]> {
    const small = SMALL * Math.max(picture.width, picture.height);
    if (!found.some(({ box }) => box.width < small)) return found;
    const looks = tiles(picture).map((region) => ({ picture, region }));
    const [range = 'full'] = this.#order(new SearchMemory());
    const more = (await this.#detector(range).detect(looks)).flat();
    return distinct([...found, ...more.filter(({ box }) => box.width < small)]);
  }

  async #upright(searches: readonly Search[]): Promise<Detection[][]> {
    const found: Detection[][] = searches.map(() => []);
    const first = searches.map(({ memory }) => this.#order(memory)[0]!);
    await this.#pass(searches, first, found);
    if (this.#choice === 'auto') {
      const second = searches.map(({ memory }, i) =>
        found[i]!.length === 0 ? this.#order(memory)[1] : undefined,
      );
      await this.#pass(searches, second, found);
    }
    return found;
  }

  #order(memory: SearchMemory): readonly Range[] {
    if (this.#choice !== 'auto') return [this.#choice];
    return memory.near ? ['short', 'full'] : ['full', 'short'];
  }

  /** Looks once at each picture that has a range to look with. */
  async #pass(
    searches: readonly Search[],
    ranges: readonly (Range | undefined)[],
    found: Detection[][],
  ): Promise<void> {
    for (const range of rangesOf(this.#choice)) {
      const wanted = searches.map((_, i) => i).filter((i) => ranges[i] === range);
      const looks = wanted.map((i) => {
        const { picture } = searches[i]!;
        return { picture, region: letterbox(picture) };
      });
      const results = await this.#detector(range).detect(looks);
      wanted.forEach((i, k) => {
        const { picture, memory } = searches[i]!;
        found[i] = distinct(results[k]!);
        const [best] = found[i];
        if (best === undefined) return;
        memory.near = best.box.width > NEAR * Math.max(picture.width, picture.height);
        memory.foundBy = range;
      });
    }
  }

  #detector(range: Range): NonNullable<FaceModels['detectors'][Range]> {
    return this.#models.detectors[range]!;
  }
}

/** Lying and upside-down faces; the parts of a large picture, where small faces get more pixels. */
function unusualLooks(picture: Pixels): Region[] {
  const turned = [1, 3, 2].map((turns) => letterbox(picture, (turns * Math.PI) / 2));
  return [...turned, ...tiles(picture)];
}

const TILE_FROM_PX = 960;

/** Squares of half the longer side that overlap by a third and cover the picture. */
function tiles({ width, height }: Pixels): Region[] {
  const longer = Math.max(width, height);
  if (longer < TILE_FROM_PX) return [];
  const side = longer / 2;
  const starts = (length: number): number[] => {
    const count = Math.max(1, Math.ceil((length - side) / ((side * 2) / 3)) + 1);
    const step = count === 1 ? 0 : (length - side) / (count - 1);
    return Array.from({ length: count }, (_, i) => i * step + side / 2);
  };
  return starts(height).flatMap((y) =>
    starts(width).map((x) => ({ x, y, width: side, height: side, rotation: 0 })),
  );
}

/** Best first, each face once. */
function distinct(detections: readonly Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const detection of [...detections].sort((a, b) => b.score - a.score)) {
    if (!kept.some((other) => same(other, detection))) kept.push(detection);
  }
  return kept;
}

const same = (a: Detection, b: Detection): boolean => boxOverlap(a.box, b.box) >= SAME_FACE;
