import type { EmbeddedGroup, PipelineResult } from '../runtime/index.js';
import type { Model } from '../encoder/index.js';
import { argmax, jensenShannon } from '../training/metrics.js';

/** How the views of one person at one instant compare, each scored alone. */
export interface ViewsResult {
  /** People at frame sets that several cameras saw. */
  readonly groups: number;
  /** Mean Jensen–Shannon divergence between the views of a group, nats: 0 is full agreement. Absent without groups. */
  readonly divergence: number | undefined;
  /** How often the score fused from all views names each label. */
  readonly fused: LabelCounts;
  /** How often each camera's view alone names each label. */
  readonly cameras: Readonly<Record<string, LabelCounts>>;
}

type LabelCounts = Readonly<Record<string, number>>;

/** Says how far the cameras of a rig agree; no truth is needed for that. */
export class ViewsReport {
  readonly #fused = new Map<string, number>();
  readonly #cameras = new Map<string, Map<string, number>>();
  #groups = 0;
  #divergence = 0;

  push({ groups, scores }: Pick<PipelineResult, 'groups' | 'scores'>, model: Model): void {
    for (const { top } of scores) count(this.#fused, top);
    for (const group of groups) {
      const alone = group.group.faces.map(({ cameraId }, i) => {
        const probabilities = scoreAlone(model, group, i);
        if (!this.#cameras.has(cameraId)) this.#cameras.set(cameraId, new Map());
        count(this.#cameras.get(cameraId)!, model.manifest.labels[argmax(probabilities)]!);
        return probabilities;
      });
      if (alone.length < 2) continue;
      this.#groups++;
      this.#divergence += jensenShannon(alone);
    }
  }

  result(): ViewsResult {
    return {
      groups: this.#groups,
      divergence: this.#groups === 0 ? undefined : this.#divergence / this.#groups,
      fused: sorted(this.#fused),
      cameras: sorted(new Map([...this.#cameras].map(([id, labels]) => [id, sorted(labels)]))),
    };
  }
}

function count(labels: Map<string, number>, label: string): void {
  labels.set(label, (labels.get(label) ?? 0) + 1);
}

function sorted<T>(entries: ReadonlyMap<string, T>): Record<string, T> {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
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
