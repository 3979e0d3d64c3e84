import { boxCover, boxOverlap, uprightOf, type Detection } from './detection.js';
import type { FaceModels, Range } from './models.js';
import { letterbox, turnBetween, type Pixels, type Region } from './region.js';

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
/** Intersection over union from which on two boxes show one face. */
const SAME_FACE = 0.3;
/** Share of the smaller box inside the other one from which on they do, where they are of like size. */
const INSIDE = 0.6;
const LIKE_SIZE = 2;
const OTHER_TURN = Math.PI / 3;
/** Faces that make a crowd, in which some are turned or too small for the whole. */
const CROWD = 5;
const QUARTER = Math.PI / 2;
/** Turn from which on a face is as likely lying as it is tilted. */
const TURNED = (40 * Math.PI) / 180;
/** Pictures from here on are looked at in parts. */
const TILE_FROM_PX = 960;
/** Smaller parts show nothing that theirs do not: a detector's input has 128 or 192 pixels. */
const SMALLEST_PART_PX = 240;
const LARGEST_IN_PART = 1 / 3;
/** Looks a call, so that their pixels stay few. */
const MOST_LOOKS = 16;
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
   * Faces of one picture, best first. The whole is looked at upright; turned by quarters too where
   * that shows nothing, nothing sure (the short range takes a face that stands on its head for an
   * upright one), a turned face or a crowd; and in parts, ever smaller, there too and where a face is too
   * small for the whole.
   * @param everything all of these, whatever the first looks show
   */
  async findThoroughly(picture: Pixels, everything = false): Promise<Detection[]> {
    const memory = new SearchMemory();
    const order = this.#order(memory);
    const [upright = []] = await this.#upright([{ picture, memory }]);
    const sure = memory.foundBy === order[0] || (upright[0]?.score ?? 0) > SURE;
    const crowd = upright.length >= CROWD;
    let found = sure && memory.near ? await this.#refined(picture, upright) : upright;
    const doubtful = everything || !sure || crowd;
    if (doubtful || upright.some(isTurned))
      found = distinct([...found, ...(await this.#turned(picture))]);
    return doubtful || smallest(found) < SMALL * longerSide(picture)
      ? this.#withParts(picture, found, everything)
      : found;
  }

  /** Near faces as the short range sees them: its boxes and keypoints are finer there. */
  async #refined(picture: Pixels, found: readonly Detection[]): Promise<Detection[]> {
    if (this.#choice !== 'auto') return [...found];
    const [fine = []] = await this.#detector('short').detect([
      { picture, region: letterbox(picture) },
    ]);
    return [...fine, ...found.filter((face) => !fine.some((other) => same(face, other)))];
  }

  /** Looks of every range at the whole picture, turned by every quarter. */
  async #turned(picture: Pixels): Promise<Detection[]> {
    const looks = [0, 1, 3, 2].map((turns) => ({
      picture,
      region: letterbox(picture, turns * QUARTER),
    }));
    const found: Detection[][] = [];
    for (const range of rangesOf(this.#choice))
      found.push(...(await this.#detector(range).detect(looks)));
    return found.flat();
  }

  /**
   * Faces of the picture's parts besides these. The parts are halved while there is no face or one too
   * small for them, or with `everything` to the end.
   */
  async #withParts(picture: Pixels, known: Detection[], everything: boolean): Promise<Detection[]> {
    const longer = longerSide(picture);
    if (longer < TILE_FROM_PX) return known;
    const detector = this.#detector(this.#order(new SearchMemory())[0]!);
    const smallestPart = everything ? SMALLEST_PART_PX : Math.max(SMALLEST_PART_PX, longer / 16);
    let found = [...known];
    for (let side = longer / 2; side >= smallestPart; side /= 2) {
      const rotation = commonTurn(found);
      const looks = tiles(picture, side).map((tile) => ({
        picture,
        region: { ...tile, rotation },
      }));
      for (let at = 0; at < looks.length; at += MOST_LOOKS) {
        const seen = (await detector.detect(looks.slice(at, at + MOST_LOOKS))).flat();
        // A larger one shows in the whole; in a part it may be cut.
        found.push(...seen.filter(({ box }) => box.width < side * LARGEST_IN_PART));
      }
      found = distinct(found);
      if (!everything && smallest(found) >= SMALL * side && found.length > 0) break;
    }
    return found;
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
        memory.near = best.box.width > NEAR * longerSide(picture);
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
  const turned = [1, 3, 2].map((turns) => letterbox(picture, turns * QUARTER));
  const longer = longerSide(picture);
  return longer < TILE_FROM_PX ? turned : [...turned, ...tiles(picture, longer / 2)];
}

/** Upright squares that overlap by a third and cover the picture. */
function tiles({ width, height }: Pixels, side: number): Region[] {
  const starts = (length: number): number[] => {
    const count = Math.max(1, Math.ceil((length - side) / ((side * 2) / 3)) + 1);
    const step = count === 1 ? 0 : (length - side) / (count - 1);
    return Array.from({ length: count }, (_, i) => i * step + side / 2);
  };
  return starts(height).flatMap((y) =>
    starts(width).map((x) => ({ x, y, width: side, height: side, rotation: 0 })),
  );
}

const longerSide = ({ width, height }: Pixels): number => Math.max(width, height);
/** Infinite without faces. */
const smallest = (found: readonly Detection[]): number => Math.min(...found.map(({ box }) => box.width)); // prettier-ignore
const isTurned = (face: Detection): boolean => Math.abs(uprightOf(face)) > TURNED;

/** The quarter turn that most of these faces have; none without faces. */
function commonTurn(found: readonly Detection[]): number {
  const counts = [0, 0, 0, 0];
  for (const face of found) counts[(Math.round(uprightOf(face) / QUARTER) + 4) % 4]!++;
  return counts.indexOf(Math.max(...counts)) * QUARTER;
}

/** Best first, each face once. */
function distinct(detections: readonly Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const detection of [...detections].sort((a, b) => b.score - a.score)) {
    if (!kept.some((other) => same(other, detection))) kept.push(detection);
  }
  return kept;
}

/** Two that differ in turn are both kept: the mesh tells which one is right. */
function same(face: Detection, other: Detection): boolean {
  if (turnBetween(uprightOf(face), uprightOf(other)) > OTHER_TURN) return false;
  const [a, b] = [face.box, other.box];
  const alike = Math.max(a.width, b.width) < LIKE_SIZE * Math.min(a.width, b.width);
  return boxOverlap(a, b) >= SAME_FACE || (alike && boxCover(a, b) >= INSIDE);
}
