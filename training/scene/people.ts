import { join } from 'node:path';
import { ClmexError } from '../../core/errors.js';
import type { Split } from '../dataset/shard.js';
import { paintHair, randomHairColor, readHair, type HairStyle } from './hair.js';
import { makeGlasses } from './glasses.js';
import { identityLike } from './identity.js';
import { makePerson, type Person } from './person.js';
import { readHeadModel, type HeadModel } from './head-model.js';
import { hashText, Random } from './random.js';
import { identityHead } from './shape.js';
import { readPortraitLandmarks, readSkin, type Skin } from './skin.js';
import { makeTorso } from './torso.js';
import { computeVisibility, type Visibility } from './visibility.js';

/**
 * Which split a portrait belongs to: by a hash of its id, so that it never changes and every
 * rendered person who wears this skin stays on one side.
 */
export function splitOf(portraitId: string): Split {
  const share = hashText(`portrait ${portraitId}`) % 20;
  return share < 14 ? 'train' : share < 17 ? 'validation' : 'test';
}

const IDENTITY_MODES = 60;
const SKINS_KEPT = 6;
const PEOPLE_KEPT = 8;
const WEARS_GLASSES = 0.4;

/** Everything that scenes are made of, read once. */
export class Studio {
  readonly #portraits: ReadonlyMap<string, readonly (readonly [number, number])[]>;
  readonly #dir: string;
  readonly #skins = new Map<string, Promise<Skin>>();
  readonly #people = new Map<string, Person>();

  private constructor(
    readonly model: HeadModel,
    readonly visibility: Visibility,
    readonly hair: readonly HairStyle[],
    portraits: ReadonlyMap<string, readonly (readonly [number, number])[]>,
    dir: string,
  ) {
    this.#portraits = portraits;
    this.#dir = dir;
  }

  /**
   * @param dir holds ict-facekit/, london/ and makehuman-hair/
   * @throws ClmexError `not-found` naming what is missing
   */
  static async open(dir: string): Promise<Studio> {
    const model = await readHeadModel(join(dir, 'ict-facekit'), IDENTITY_MODES);
    const portraits = await readPortraitLandmarks(join(dir, 'london'));
    const hair = await readHair(model, join(dir, 'makehuman-hair'));
    return new Studio(model, computeVisibility(model), hair, portraits, dir);
  }

  /** Ids of the portraits of a split, sorted. */
  portraits(split: Split): string[] {
    return [...this.#portraits.keys()].filter((id) => splitOf(id) === split).sort();
  }

  /**
   * A person with this portrait's skin. Variant 0 has the portrait's own shape; each further one
   * another shape, hair and clothes.
   */
  async person(portraitId: string, variant: number): Promise<Person> {
    const id = `${portraitId}-${String(variant)}`;
    const known = this.#people.get(id);
    if (known !== undefined) return known;
    const person = await this.#make(id, portraitId, variant);
    this.#people.set(id, person);
    if (this.#people.size > PEOPLE_KEPT) this.#people.delete(this.#people.keys().next().value!);
    return person;
  }

  async #make(id: string, portraitId: string, variant: number): Promise<Person> {
    const random = new Random(`person ${id}`);
    const skin = await this.#skin(portraitId);
    const likeness = variant === 0 ? 1 : 0.5;
    const identity = identityLike(random, skin.fit.identity, likeness, IDENTITY_MODES);
    const style = this.hair.length > 0 && random.chance(0.8) ? random.pick(this.hair) : undefined;
    const other = randomHairColor(random);
    const color = random.chance(0.75) ? (skin.hairTone ?? other) : other;
    const lashes = random.uniform(0.05, 0.35);
    const torso = makeTorso(random);
    const strands = paintHair(random, color);
    const glasses = random.chance(WEARS_GLASSES)
      ? { glasses: makeGlasses(identityHead(this.model, identity), random) }
      : {};
    return makePerson(this.model, id, skin, identity, {
      lashes,
      torso,
      ...glasses,
      ...(style === undefined ? {} : { hair: { style, strands } }),
    });
  }

  #skin(id: string): Promise<Skin> {
    const known = this.#skins.get(id);
    if (known !== undefined) return known;
    const landmarks = this.#portraits.get(id);
    if (landmarks === undefined) {
      throw new ClmexError('invalid-argument', 'no such portrait', {
        field: 'portrait',
        value: id,
        allowed: 'an id of the London set, such as 001',
      });
    }
    const path = join(this.#dir, 'london', 'neutral', `${id}.jpg`);
    const skin = readSkin(this.model, path, landmarks);
    this.#skins.set(id, skin);
    // A portrait holds some 12 MB: the oldest goes.
    if (this.#skins.size > SKINS_KEPT) this.#skins.delete(this.#skins.keys().next().value!);
    return skin;
  }
}
