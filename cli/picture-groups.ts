import { readFile } from 'node:fs/promises';
import { ClmexError } from '../core/errors.js';
import { Random } from '../encoder/random.js';
import { createOnnxRuntime } from '../runtime/engine/onnxruntime.js';
import { FaceStage } from '../runtime/faces/faces.js';
import { decodePicture } from '../runtime/image.js';
import type { FramePixels } from '../runtime/inference/inference.js';
import {
  liftExpressions, turnFace,
  type ExpressionMove, type LabelledGroup, type LabelledView, type LiftedFace, type MeshShapes, type NeutralFace, type Turn,
} from '../training/index.js'; // prettier-ignore
import { PictureFaceFinder } from './face-cache.js';
import { notice, progress } from './output.js';
import { readGroups, type PictureSource, type ReadGroup, type Skipped } from './read-groups.js';

const LIFTED_PROGRESS_EVERY = 10;

export interface PictureGroupsOptions {
  readonly source: PictureSource;
  readonly cache?: string | undefined;
  readonly labels: readonly string[];
  /** Share of each in the loss of labels. */
  readonly weight: number;
  /** By which single pictures are turned into groups; see turnFace. */
  readonly turns: readonly Turn[];
}

/** A neutral face and the file of its picture. */
export interface NeutralPicture extends Omit<NeutralFace, 'picture'> {
  readonly path: string;
}

/** Faces of labelled pictures; `neutral` are those that can be given other expressions. */
export interface PictureGroups {
  readonly groups: LabelledGroup[];
  readonly neutral: NeutralPicture[];
}

/**
 * Labelled pictures as groups, found and aligned by the runtime's own faces stage.
 * @throws ClmexError `invalid-argument` where no picture shows a face under a known label.
 */
export async function pictureGroups(options: PictureGroupsOptions): Promise<PictureGroups> {
  const { source, labels, cache, turns, weight } = options;
  const read = await withFaceFinder((finder) =>
    readGroups(source, { labels, finder, cache, turns }),
  );
  for (const line of linesOf(read.skipped)) notice(line);
  const groups = read.groups.flatMap((group) => labelled(group, weight));
  notice(summaryOf(read.groups, groups));
  if (groups.length > 0) return { groups, neutral: neutralPictures(read.groups, labels) };
  throw new ClmexError('invalid-argument', 'no picture shows a face under a label that is learned', {
    field: source.data === undefined ? '--pictures' : '--data',
    value: source.data ?? source.manifest,
    allowed: labels.join(', '),
  }); // prettier-ignore
}

/** Faces of single pictures, one each. */
export async function withFaceFinder<T>(
  use: (finder: PictureFaceFinder) => Promise<T>,
): Promise<T> {
  const engine = createOnnxRuntime(1);
  const stage = await FaceStage.create({ engine, detector: 'auto', maxFaces: 1 });
  try {
    const find = async (frame: FramePixels) => (await stage.push([frame]))[0];
    return await use(new PictureFaceFinder(find, stage.canonical.triangles));
  } finally {
    await stage.close();
  }
}

function summaryOf(read: readonly ReadGroup[], groups: readonly LabelledGroup[]): string {
  const count = (all: readonly { readonly views: readonly unknown[] }[]): number =>
    all.reduce((sum, { views }) => sum + views.length, 0);
  const people = new Set(groups.map(({ personId }) => personId)).size;
  return `${count(groups)} of ${count(read)} pictures show a face, of ${people} people`;
}

/** One line a picture, or one for all that share a reason. */
function linesOf(skipped: readonly Skipped[]): string[] {
  const reasons = new Set(skipped.map(({ reason }) => reason));
  return [...reasons].map((reason) => {
    const [first, ...more] = skipped.filter((one) => one.reason === reason);
    const others = more.length === 0 ? '' : ` and ${more.length} more`;
    return `left out ${first!.path}${others}: ${reason}`;
  });
}

export interface LiftedGroupsOptions {
  readonly labels: readonly string[];
  /** Share of each in the loss of labels. */
  readonly weight: number;
  /** Pictures of a face and expression. */
  readonly each: number;
  /** By which every one is turned as well. */
  readonly turns: readonly Turn[];
  readonly shapes: MeshShapes;
  /** Share of the lifted faces that wear glasses, 0–1. */
  readonly glasses: number;
  /** As LiftOptions has it. */
  readonly stretch: number;
  readonly seed: number;
}

/**
 * Neutral faces with other expressions, moved as rendered ones are; see warpExpression. Labels with real
 * pictures are made as well, at rest too: else what a warp leaves behind would tell the label.
 * @throws ClmexError `invalid-argument` where there is nothing to lift.
 */
export async function liftedGroups(
  neutral: readonly NeutralPicture[],
  moves: readonly ExpressionMove[],
  finder: PictureFaceFinder,
  { labels, weight, each, turns, shapes, glasses, stretch, seed }: LiftedGroupsOptions,
): Promise<LabelledGroup[]> {
  if (neutral.length === 0) {
    throw new ClmexError('invalid-argument', 'needs a neutral face that could be lifted', {
      field: '--lift',
      value: each,
      allowed: '0 without a picture that is labelled neutral and shows a face',
    });
  }
  const random = new Random(seed);
  const lifted: LabelledGroup[] = [];
  for (const [i, { path, ...face }] of neutral.entries()) {
    const picture = await decodePicture(await readFile(path), path);
    for (const one of liftExpressions(
      { ...face, picture },
      neutral,
      moves,
      { labels, shapes, triangles: finder.triangles, each, glasses, stretch },
      random,
    ))
      lifted.push(...(await foundAgain(one, weight, finder, turns)));
    if ((i + 1) % LIFTED_PROGRESS_EVERY === 0)
      progress(`lifted ${lifted.length} expressions onto ${i + 1} of ${neutral.length} faces`);
  }
  return lifted;
}

/** A lifted face and its turns as the landmark model finds them; none where it sees no face. */
async function foundAgain(
  { personId, label, picture, mesh, worn }: LiftedFace,
  weight: number,
  finder: PictureFaceFinder,
  turns: readonly Turn[],
): Promise<LabelledGroup[]> {
  const turn = (by: readonly Turn[]) => turnFace(picture, mesh, finder.triangles, by, worn);
  const straight = { yawDeg: 0, pitchDeg: 0 };
  const seen = worn === undefined ? [picture, ...turn(turns)] : turn([straight, ...turns]);
  const views: LabelledView[] = [];
  for (const view of seen) {
    const face = await finder.find(view);
    if (face === undefined) continue;
    const { crop, landmarks, pose, quality } = face;
    views.push({ ...pose, quality, crop, landmarks });
  }
  return views.length === 0 ? [] : [{ personId, label, weight, views }];
}

/** Views without a face teach nothing. */
function labelled({ personId, label, views }: ReadGroup, weight: number): LabelledGroup[] {
  const found = views.flatMap(({ crop, landmarks, ...view }) => (crop && landmarks ? [{ ...view, crop, landmarks }] : []));
  return found.length > 0 ? [{ personId, label, weight, views: found }] : [];
} // prettier-ignore

/** Those of pictures: a recording's people come with every expression. */
export function neutralPictures(
  groups: readonly ReadGroup[],
  labels: readonly string[],
): NeutralPicture[] {
  return groups.flatMap(({ personId, label, views: [first] }) => {
    if (labels[label] !== 'neutral' || first?.path === undefined || !first.landmarks) return [];
    const { path, landmarks, yawDeg, pitchDeg, rollDeg } = first;
    return [{ personId, path, landmarks, pose: { yawDeg, pitchDeg, rollDeg } }];
  });
}
