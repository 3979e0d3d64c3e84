import { ClmexError } from '../core/errors.js';
import { DEFAULT_CROP } from '../encoder/index.js';
import { Random } from '../encoder/random.js';
import { createOnnxRuntime } from '../runtime/engine/onnxruntime.js';
import { FaceStage } from '../runtime/faces/faces.js';
import {
  expressionMoves, liftExpressions, readManifestCsv,
  type LabelledGroup, type NeutralFace, type RenderedSet,
} from '../training/index.js'; // prettier-ignore
import { FaceCache } from './face-cache.js';

export interface PictureGroupsOptions {
  readonly manifest: string;
  readonly root: string;
  readonly cache?: string | undefined;
  readonly labels: readonly string[];
  /** Share of each in the loss of labels. */
  readonly weight: number;
  /** Pictures to make of each neutral face and every label without any; see warpExpression. */
  readonly lift: number;
  /** Whose training people show how expressions move landmarks. */
  readonly rendered: RenderedSet;
  readonly seed: number;
}

/**
 * Labelled pictures as groups of one view each, found and aligned by the runtime's own faces stage,
 * and further expressions of the neutral faces among them.
 * @throws ClmexError `invalid-argument` where a label is unknown or no picture shows a face.
 */
export async function pictureGroups(options: PictureGroupsOptions): Promise<LabelledGroup[]> {
  const { manifest, labels, weight, lift, rendered } = options;
  const { groups, neutral } = await readFaces(options);
  if (groups.length === 0) {
    throw new ClmexError('invalid-argument', 'no picture shows a face', {
      field: '--pictures',
      value: manifest,
    });
  }
  if (lift === 0) return groups;
  const moves = expressionMoves(rendered, rendered.indices('train'), DEFAULT_CROP);
  // A label with real pictures needs no made ones, which are never as good.
  const real = new Set(groups.map(({ label }) => labels[label]));
  const missing = moves.filter(({ label }) => !real.has(label));
  const lifting = { labels, spec: DEFAULT_CROP, each: lift, weight };
  return [...groups, ...liftExpressions(neutral, missing, lifting, new Random(options.seed))];
}

async function readFaces({
  manifest,
  root,
  cache,
  labels,
  weight,
}: PictureGroupsOptions): Promise<{ groups: LabelledGroup[]; neutral: NeutralFace[] }> {
  const { pictures } = await readManifestCsv(manifest, root);
  const engine = createOnnxRuntime(1);
  const stage = await FaceStage.create({ engine, detector: 'auto', maxFaces: 1 });
  const faces = new FaceCache(async (frame) => (await stage.push([frame]))[0], cache);
  const [groups, neutral]: [LabelledGroup[], NeutralFace[]] = [[], []];
  try {
    for (const { path, label, personId } of pictures) {
      const index = labels.indexOf(label);
      if (index < 0) {
        throw new ClmexError('invalid-argument', 'a label that is not learned', {
          field: '--pictures',
          value: label,
          allowed: labels.join(', '),
        });
      }
      const { crop, landmarks, quality, ...pose } = await faces.find(path);
      if (crop === undefined || landmarks === undefined) continue;
      groups.push({
        personId,
        label: index,
        weight,
        views: [{ ...pose, quality, crop, landmarks }],
      });
      if (label === 'neutral') neutral.push({ personId, crop, landmarks, pose, quality });
    }
    return { groups, neutral };
  } finally {
    await stage.close();
  }
}
