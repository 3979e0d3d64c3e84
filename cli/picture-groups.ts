import { ClmexError } from '../core/errors.js';
import { createOnnxRuntime } from '../runtime/engine/onnxruntime.js';
import { FaceStage } from '../runtime/faces/faces.js';
import { readManifestCsv, type LabelledGroup } from '../training/index.js';
import { FaceCache } from './face-cache.js';

export interface PictureGroupsOptions {
  readonly manifest: string;
  readonly root: string;
  readonly cache?: string | undefined;
  readonly labels: readonly string[];
  /** Share of each in the loss of labels. */
  readonly weight: number;
}

/**
 * Labelled pictures as groups of one view each, found and aligned by the runtime's own faces stage.
 * @throws ClmexError `invalid-argument` where a label is unknown or no picture shows a face.
 */
export async function pictureGroups({
  manifest,
  root,
  cache,
  labels,
  weight,
}: PictureGroupsOptions): Promise<LabelledGroup[]> {
  const { pictures } = await readManifestCsv(manifest, root);
  const stage = await FaceStage.create({
    engine: createOnnxRuntime(1),
    detector: 'auto',
    maxFaces: 1,
  });
  try {
    const faces = new FaceCache(async (frame) => (await stage.push([frame]))[0], cache);
    const groups: LabelledGroup[] = [];
    for (const { path, label, personId } of pictures) {
      const index = labels.indexOf(label);
      if (index < 0) {
        throw new ClmexError('invalid-argument', 'a label that is not learned', {
          field: '--pictures',
          value: label,
          allowed: labels.join(', '),
        });
      }
      const { crop, ...pose } = await faces.find(path);
      if (crop) groups.push({ personId, label: index, weight, views: [{ ...pose, crop }] });
    }
    if (groups.length > 0) return groups;
    throw new ClmexError('invalid-argument', 'no picture shows a face', {
      field: '--pictures',
      value: manifest,
    });
  } finally {
    await stage.close();
  }
}
