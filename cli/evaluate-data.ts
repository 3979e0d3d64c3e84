import { ClmexError } from '../core/errors.js';
import { EXPRESSION_LABELS } from '../core/types.js';
import type { LocalInference } from '../runtime/inference/local.js';
import {
  expressionMoves, isRendered, openRendered, renderedGroups,
  type EvaluatedGroup, type MeshShapes, type RenderedSet, type Split, type Turn,
} from '../training/index.js'; // prettier-ignore
import { PictureFaceFinder } from './face-cache.js';
import { openMeshShapes, requireLifting } from './mesh-shapes.js';
import { progress } from './output.js';
import { liftedGroups, neutralPictures } from './picture-groups.js';
import { readGroups, type PictureSource, type ReadGroup, type Skipped } from './read-groups.js';
import { requireSplit } from './rendered-split.js';

export interface DataOptions extends PictureSource {
  readonly split: Split | 'all';
  readonly cache?: string;
  readonly turn?: readonly Turn[];
  /** Pictures of each expression that are made of every neutral face, in place of the pictures. */
  readonly lift: number;
  /** A rendered set, whose people move as lifted faces do. */
  readonly moves?: string;
  readonly meshes?: string;
  /** Percent of the lifted faces; none where absent. */
  readonly glasses?: number;
  readonly seed: number;
}

const BATCH = 32;
/** Moments of a rendered set: some ten seconds on a core. */
const PROGRESS_EVERY = 500;

/** Reads labelled pictures of any kind and embeds the face in each. */
export class EvaluationData {
  readonly #inference: LocalInference;
  readonly #labels: readonly string[];
  readonly #skipped: Skipped[] = [];
  readonly #notes: string[] = [];

  constructor(inference: LocalInference, labels: readonly string[]) {
    this.#inference = inference;
    this.#labels = labels;
  }

  /** What was left out and why; complete after `open`. */
  get skipped(): readonly Skipped[] {
    return this.#skipped;
  }

  /** What whoever reads the results must know; complete after `open`. */
  get notes(): readonly string[] {
    return this.#notes;
  }

  async open(options: DataOptions): Promise<EvaluatedGroup[]> {
    const rendered = options.data !== undefined && (await isRendered(options.data));
    await requireMoves(options, rendered);
    if (rendered) {
      return this.#rendered(options.data, options.split);
    }
    const shapes = options.lift > 0 ? await openMeshShapes(options.meshes) : undefined;
    const inference = this.#inference;
    const finder = new PictureFaceFinder(
      async (frame) => (await inference.faces([frame], []))[0],
      inference.triangles,
    );
    const { groups, skipped, notes } = await readGroups(options, {
      labels: this.#labels,
      finder,
      cache: options.cache,
      turns: shapes ? [] : options.turn,
    });
    this.#skipped.push(...skipped);
    this.#notes.push(...notes);
    const source = {
      field: options.data === undefined ? '--manifest' : '--data',
      value: options.data ?? options.manifest,
    };
    if (groups.length === 0) {
      throw new ClmexError('invalid-argument', 'holds no picture with a label the model knows', {
        ...source,
        allowed: this.#labels.join(', '),
      });
    }
    if (groups.some(({ views }) => views.some(({ crop }) => crop !== undefined))) {
      return this.#embedded(shapes ? await this.#lifted(groups, shapes, finder, options) : groups);
    }
    const [first] = skipped;
    throw new ClmexError('invalid-argument', 'shows no face in any picture', {
      ...source,
      allowed: first
        ? `pictures with a face; the first, ${first.path}: ${first.reason}`
        : 'pictures with a face',
    });
  }

  async #lifted(
    groups: readonly ReadGroup[],
    shapes: MeshShapes,
    finder: PictureFaceFinder,
    { lift, moves, glasses = 0, turn = [], split, seed }: DataOptions,
  ): Promise<ReadGroup[]> {
    const rendered = await openRendered(moves!);
    const labels = this.#labels;
    return liftedGroups(
      neutralPictures(groups, labels),
      expressionMoves(rendered, indicesOf(rendered, moves!, split)),
      finder,
      {
        labels,
        weight: 1,
        each: lift,
        turns: turn,
        shapes,
        glasses: glasses / 100,
        stretch: 0,
        seed,
      },
    );
  }

  async #rendered(directory: string, split: Split | 'all'): Promise<EvaluatedGroup[]> {
    const rendered = await openRendered(directory);
    const set = renderedGroups(rendered, EXPRESSION_LABELS);
    const indices = indicesOf(rendered, directory, split);
    const groups: EvaluatedGroup[] = [];
    for (const [i, index] of indices.entries()) {
      groups.push(...(await this.#embedded([set.read(index)])));
      if ((i + 1) % PROGRESS_EVERY === 0)
        progress(`embedded ${i + 1} of ${indices.length} moments`);
    }
    return groups;
  }

  async #embedded(groups: readonly ReadGroup[]): Promise<EvaluatedGroup[]> {
    const found = groups.flatMap(({ views }) =>
      views.flatMap(({ crop, landmarks }) => (crop && landmarks ? [{ crop, landmarks }] : [])),
    );
    const embeddings: Float32Array[] = [];
    for (let at = 0; at < found.length; at += BATCH) {
      embeddings.push(...(await this.#inference.embed(found.slice(at, at + BATCH))));
    }
    let next = 0;
    return groups.map(({ personId, label, views }) => ({
      personId,
      label,
      views: views.map(({ crop, yawDeg, pitchDeg, rollDeg, quality, trueYawDeg }) => ({
        yawDeg, pitchDeg, rollDeg, quality, trueYawDeg,
        embedding: crop && embeddings[next++],
      })), // prettier-ignore
    }));
  }
}

function indicesOf(set: RenderedSet, directory: string, split: Split | 'all'): number[] {
  return split === 'all'
    ? Array.from({ length: set.groups }, (_, i) => i)
    : requireSplit(set, directory, split);
}

/** Before any face is looked for. */
async function requireMoves(
  { lift, moves, meshes, glasses, data }: DataOptions,
  rendered: boolean,
): Promise<void> {
  requireLifting(lift, { '--moves': moves, '--meshes': meshes, '--glasses': glasses });
  if (lift === 0) return;
  if (rendered) {
    throw new ClmexError('invalid-argument', 'lifts real faces; rendered ones have every label', {
      field: '--lift',
      value: lift,
      allowed: `0 with ${data}`,
    });
  }
  if (moves === undefined || !(await isRendered(moves))) {
    throw new ClmexError('invalid-argument', 'is needed with --lift', {
      field: '--moves',
      value: moves,
      allowed: 'a rendered set or a folder of several',
    });
  }
}
