import { EXPRESSION_LABELS } from '../core/types.js';
import { Random } from '../encoder/random.js';
import {
  expressionMoves, isRendered, joinGroups, listedGroups, openRendered, renderedGroups, shareOfLabels, withBlendshapes,
  type GroupSet, type LabelledGroup, type Recipe, type RenderedSet, type TrainingData, type Turn,
} from '../training/index.js'; // prettier-ignore
import { ClmexError } from '../core/errors.js';
import { progress } from './output.js';
import { liftedGroups, pictureGroups, withFaceFinder } from './picture-groups.js';
import { openBlendshapes } from './read-blendshapes.js';
import type { PictureSource } from './read-groups.js';
import { requireSplit } from './rendered-split.js';
import { openMeshShapes, requireLifting } from './mesh-shapes.js';

export interface DataOptions {
  readonly data: string;
  readonly root: string;
  readonly turn?: readonly Turn[] | undefined;
  readonly cache?: string | undefined;
}

export interface TrainDataOptions extends DataOptions {
  readonly pictures?: string | undefined;
  readonly lift: number;
  readonly meshes?: string | undefined;
  /** Percent of the lifted faces; GLASSES_PERCENT where absent. */
  readonly glasses?: number | undefined;
  readonly blendshapes?: string | undefined;
}

interface Opened {
  readonly set: GroupSet;
  readonly train: readonly number[];
  readonly validation: readonly number[];
  readonly rendered?: RenderedSet | undefined;
}

/** Of lifted faces wear glasses. */
export const GLASSES_PERCENT = 30;
const VALIDATION_SHARE = 0.2;
const BLENDSHAPES_EVERY = 1000;

/** People of the train split teach, people of the validation split are watched. */
export async function openTrainingData(
  options: TrainDataOptions,
  recipe: Recipe,
): Promise<TrainingData> {
  if (options.blendshapes === undefined && recipe.frontal > 0) {
    throw new ClmexError('invalid-config', 'nothing reads the frontal views', {
      field: 'frontal',
      value: recipe.frontal,
      allowed: '0, or --blendshapes with MediaPipe’s face_landmarker.task',
    });
  }
  const { lift, meshes, glasses, pictures } = options;
  requireLifting(lift, { '--meshes': meshes, '--glasses': glasses });
  if (lift > 0 && pictures === undefined) {
    throw new ClmexError('invalid-argument', 'makes its faces of neutral pictures', {
      field: '--lift',
      value: lift,
      allowed: '0, or together with --pictures',
    });
  }
  const data = await openTeachers(options, recipe);
  if (options.blendshapes === undefined) return data;
  if ((!recipe.geometry || recipe.blendshapes === 0) && recipe.frontal === 0) {
    const field = recipe.geometry ? 'blendshapes' : 'geometry';
    throw new ClmexError('invalid-config', 'leaves nothing that could learn --blendshapes', {
      field,
      value: recipe[field],
      allowed: recipe.geometry ? 'more than 0' : 'true',
    });
  }
  const teacher = await openBlendshapes(options.blendshapes);
  try {
    const indices = [...data.train, ...(data.pictures ?? [])];
    const onProgress = (done: number): void => {
      if (done % BLENDSHAPES_EVERY === 0)
        progress(`blendshapes of ${String(done)} of ${String(indices.length)} moments`);
    };
    return { ...data, set: await withBlendshapes(data.set, indices, teacher.read, onProgress) };
  } finally {
    await teacher.close();
  }
}

async function openTeachers(options: TrainDataOptions, recipe: Recipe): Promise<TrainingData> {
  const { set, train: all, validation, rendered } = await openData(options, recipe);
  if (rendered) requireSplit(rendered, options.data, 'train');
  const finetune = recipe.stage === 'finetune';
  const train = finetune ? shareOfLabels(set, all, recipe.labelShare, recipe.seed) : all;
  if (options.pictures === undefined) return { set, train, validation };
  const beside = await picturesBeside(options.pictures, options, recipe, rendered);
  // Views of one moment are what pre-training contrasts: a single one says nothing.
  const groups = finetune ? beside : beside.filter(({ views }) => views.length > 1);
  return {
    set: joinGroups(set, listedGroups(EXPRESSION_LABELS, groups)),
    train,
    validation,
    pictures: groups.map((_, i) => set.size + i),
  };
}

async function openData(options: DataOptions, recipe: Recipe): Promise<Opened> {
  const { data, root, cache, turn = [] } = options;
  if (await isRendered(data)) {
    const rendered = await openRendered(data);
    const set = renderedGroups(rendered, EXPRESSION_LABELS);
    return {
      set,
      train: rendered.indices('train'),
      validation: requireSplit(rendered, data, 'validation'),
      rendered,
    };
  }
  const source = sourceOf(data, root);
  const labels = EXPRESSION_LABELS;
  const { groups } = await pictureGroups({ source, cache, labels, weight: 1, turns: turn });
  return { set: listedGroups(labels, groups), ...splitPeople(groups, recipe.seed) };
}

/** People whom a run with this seed never saw: some calibrate, the others measure. */
export interface HeldOut {
  readonly set: GroupSet;
  readonly validation: readonly number[];
  readonly test: readonly number[];
  readonly rendered: boolean;
}

/** Of a real source those who were watched in training, halved; one person has to do for both. */
export async function openHeldOut(options: DataOptions, recipe: Recipe): Promise<HeldOut> {
  const { set, validation: held, rendered } = await openData(options, recipe);
  const personOf = (index: number): string => set.info(index).personId;
  const people = [...new Set(held.map(personOf))];
  const measured = new Set(people.slice(Math.floor(people.length / 2)));
  const calibrating = people.length === 1 ? held : held.filter((i) => !measured.has(personOf(i)));
  return {
    set,
    validation: rendered ? held : calibrating,
    test: rendered
      ? requireSplit(rendered, options.data, 'test')
      : held.filter((i) => measured.has(personOf(i))),
    rendered: rendered !== undefined,
  };
}

/** A fifth of the people, at least one, are watched; the others teach. */
function splitPeople(groups: readonly LabelledGroup[], seed: number) {
  const people = new Random(seed).shuffle([...new Set(groups.map(({ personId }) => personId))]);
  if (people.length < 2) {
    throw new ClmexError('invalid-argument', 'shows one person: nobody is left to validate on', {
      field: '--data',
      value: people[0],
      allowed: 'pictures of at least two people, three for pre-training',
    });
  }
  const watched = new Set(people.slice(0, Math.max(1, Math.round(VALIDATION_SHARE * people.length)))); // prettier-ignore
  const indices = groups.map((_, i) => i);
  return {
    train: indices.filter((i) => !watched.has(groups[i]!.personId)),
    validation: indices.filter((i) => watched.has(groups[i]!.personId)),
  };
}

async function picturesBeside(
  path: string,
  { root, cache, lift, meshes, glasses = GLASSES_PERCENT, turn = [] }: TrainDataOptions,
  recipe: Recipe,
  rendered: RenderedSet | undefined,
): Promise<LabelledGroup[]> {
  if (lift > 0 && rendered === undefined) {
    throw new ClmexError('invalid-argument', 'expressions are learned from rendered people', {
      field: '--lift',
      value: lift,
      allowed: '0 where --data is no rendered set',
    });
  }
  const shapes = lift > 0 ? await openMeshShapes(meshes) : undefined;
  const labels = EXPRESSION_LABELS;
  const { weight } = recipe.pictures;
  const source = sourceOf(path, root);
  // Lifted faces have every label, the pictures may not: were they turned, a turn would tell the label.
  const turns = lift === 0 ? turn : [];
  const read = await pictureGroups({ source, cache, labels, weight, turns });
  if (rendered === undefined || shapes === undefined) return read.groups;
  const moves = expressionMoves(rendered, rendered.indices('train'));
  const options = {
    labels,
    weight,
    each: lift,
    turns: turn,
    shapes,
    glasses: glasses / 100,
    stretch: recipe.augmentation.stretch,
    seed: recipe.seed,
  };
  const lifted = await withFaceFinder((finder) =>
    liftedGroups(read.neutral, moves, finder, options),
  );
  return [...read.groups, ...lifted];
}

const sourceOf = (path: string, root: string): PictureSource =>
  path.endsWith('.csv') ? { manifest: path, root } : { data: path, root };
