import { readdir } from 'node:fs/promises';
import { ClmexError } from '../core/errors.js';
import { EXPRESSION_LABELS } from '../core/types.js';
import type { LocalInference } from '../runtime/inference/local.js';
import {
  isKdef, isRendered, openRendered, readFolder, readKdef, readManifestCsv, renderedGroups,
  type EvaluatedGroup, type EvaluatedView, type LabelledPicture, type PictureList, type Split,
} from '../training/index.js'; // prettier-ignore
import { FaceCache } from './face-cache.js';
import { progress } from './output.js';

export interface DataOptions {
  readonly manifest?: string;
  readonly root: string;
  readonly data?: string;
  readonly split: Split | 'all';
  readonly cache?: string;
}

const BATCH = 32;

/** Reads labelled pictures of any kind and embeds the face in each. */
export class EvaluationData {
  readonly #inference: LocalInference;
  readonly #labels: readonly string[];
  readonly #skipped: { path: string; reason: string }[] = [];

  constructor(inference: LocalInference, labels: readonly string[]) {
    this.#inference = inference;
    this.#labels = labels;
  }

  /** What was left out and why; complete after `open`. */
  get skipped(): readonly { readonly path: string; readonly reason: string }[] {
    return this.#skipped;
  }

  async open(options: DataOptions): Promise<EvaluatedGroup[]> {
    if (options.data !== undefined && (await isRendered(options.data))) {
      return this.#rendered(options.data, options.split);
    }
    const list = await listOf(options);
    this.#skipped.push(...list.skipped);
    const groups = await this.#pictures(
      list,
      new FaceCache(async (frame) => (await this.#inference.faces([frame], []))[0], options.cache),
    );
    if (groups.length > 0) return groups;
    throw new ClmexError('invalid-argument', 'holds no picture with a label the model knows', {
      field: options.data === undefined ? '--manifest' : '--data',
      value: options.data ?? options.manifest,
      allowed: this.#labels.join(', '),
    });
  }

  async #rendered(directory: string, split: Split | 'all'): Promise<EvaluatedGroup[]> {
    const rendered = await openRendered(directory);
    const set = renderedGroups(rendered, EXPRESSION_LABELS);
    const indices =
      split === 'all' ? Array.from({ length: set.size }, (_, i) => i) : rendered.indices(split);
    const groups: EvaluatedGroup[] = [];
    for (const index of indices) {
      const { personId, label, views } = set.read(index);
      const embeddings = await this.#inference.embed(views);
      groups.push({
        personId,
        label,
        views: views.map((view, i) => ({ ...view, embedding: embeddings[i] })),
      });
    }
    return groups;
  }

  async #pictures({ pictures }: PictureList, faces: FaceCache): Promise<EvaluatedGroup[]> {
    const known = pictures.filter((picture) => {
      if (this.#labels.includes(picture.label)) return true;
      this.#skipped.push({
        path: picture.path,
        reason: `label '${picture.label}' is unknown to the model`,
      });
      return false;
    });
    const views: EvaluatedView[] = [];
    for (let at = 0; at < known.length; at += BATCH) {
      views.push(...(await this.#embed(known.slice(at, at + BATCH), faces)));
      progress(`${Math.min(known.length, at + BATCH)} of ${known.length} pictures`);
    }
    const groups = new Map<string, { personId: string; label: number; views: EvaluatedView[] }>();
    known.forEach(({ groupId, personId, label }, i) => {
      const group = groups.get(`${label} ${groupId}`) ?? {
        personId,
        label: this.#labels.indexOf(label),
        views: [],
      };
      group.views.push(views[i]!);
      groups.set(`${label} ${groupId}`, group);
    });
    return [...groups.values()];
  }

  async #embed(pictures: readonly LabelledPicture[], faces: FaceCache): Promise<EvaluatedView[]> {
    const found = [];
    for (const { path } of pictures) {
      const face = await faces.find(path);
      if (face.reason !== undefined) this.#skipped.push({ path, reason: face.reason });
      found.push(face);
    }
    const embeddings = await this.#inference.embed(
      found.flatMap(({ crop, landmarks }) => (crop && landmarks ? [{ crop, landmarks }] : [])),
    );
    let next = 0;
    return found.map(({ crop, yawDeg, pitchDeg, rollDeg, quality }, i) => ({
      yawDeg, pitchDeg, rollDeg, quality,
      embedding: crop && embeddings[next++],
      trueYawDeg: pictures[i]!.yawDeg,
    })); // prettier-ignore
  }
}

async function listOf({ data, manifest, root }: DataOptions): Promise<PictureList> {
  if (data === undefined) return readManifestCsv(manifest!, root);
  const names = await readdir(data, { recursive: true }).catch(() => []);
  return isKdef(names) ? readKdef(data) : readFolder(data);
}
