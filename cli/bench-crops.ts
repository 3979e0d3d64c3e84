import { ClmexError } from '../core/errors.js';
import type { FusionView } from '../encoder/index.js';
import { readConfig, score } from '../runtime/index.js';

/** A face as the encoder gets it, with what fusion knows of the view. */
export interface CroppedView extends FusionView {
  readonly crop: Uint8Array;
  readonly landmarks: Float32Array;
}

/**
 * Aligned crops of a rig's cameras, spread over its whole length.
 * @throws ClmexError `invalid-file` where no face is found; whatever scoring the rig throws.
 */
export async function collectCrops(
  path: string,
  model: string,
  most: number,
): Promise<CroppedView[]> {
  const all: CroppedView[] = [];
  await score(
    { ...(await readConfig(path)), model },
    {
      onResult: ({ faces }) => {
        for (const { crop, landmarks, pose, quality } of faces)
          all.push({ crop, landmarks, ...pose, quality });
      },
    },
  );
  if (all.length === 0) {
    throw new ClmexError('invalid-file', 'no face is found in the rig', {
      field: '--config',
      value: path,
    });
  }
  const step = Math.max(1, all.length / most);
  return Array.from({ length: Math.min(most, all.length) }, (_, i) => all[Math.floor(i * step)]!);
}
