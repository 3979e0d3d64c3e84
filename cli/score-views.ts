import type { EmbeddedGroup, PipelineResult } from '../runtime/index.js';
import type { Model } from '../encoder/index.js';
import { jensenShannon } from '../training/metrics.js';

/** How the views of one person at one instant compare, each scored alone. */
export interface ViewsResult {
  /** People at frame sets that several cameras saw. */
  readonly groups: number;
  /** Mean Jensen–Shannon divergence between the views of a group, nats: 0 is full agreement. */
  readonly divergence: number;
  /** How often each camera's view alone names each label. */
  readonly cameras: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Says how far the cameras of a rig agree; no truth is needed for that. */
export class ViewsReport {
  readonly #counts = new Map<string, Map<string, number>>();
  #groups = 0;
  #divergence = 0;

  push({ groups }: Pick<PipelineResult, 'groups'>, model: Model): void {
    for (const group of groups) {
      const scores = group.group.faces.map((face, i) => {
        const probabilities = scoreAlone(model, group, i);
        const most = probabilities.indexOf(Math.max(...probabilities));
        this.#count(face.cameraId, model.manifest.labels[most]!);
        return probabilities;
      });
      if (scores.length < 2) continue;
      this.#groups++;
      this.#divergence += jensenShannon(scores);
    }
  }

  result(): ViewsResult {
    return {
      groups: this.#groups,
      divergence: this.#divergence / Math.max(1, this.#groups),
      cameras: Object.fromEntries(
        [...this.#counts]
          .sort()
          .map(([id, counts]) => [id, Object.fromEntries([...counts].sort())]),
      ),
    };
  }

  #count(cameraId: string, label: string): void {
    const counts = this.#counts.get(cameraId) ?? new Map<string, number>();
    counts.set(label, (counts.get(label) ?? 0) + 1);
    this.#counts.set(cameraId, counts);
  }
}

/** Probabilities of the labels, in the model's order, from the i-th view of a group alone. */
export function scoreAlone(
  model: Model,
  { group, embeddings }: EmbeddedGroup,
  i: number,
): number[] {
  const { pose, quality } = group.faces[i]!;
  return model.fuse([embeddings[i]!.vector], [{ ...pose, quality }]).probabilities;
}
