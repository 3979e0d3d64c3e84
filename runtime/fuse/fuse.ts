import type { Embedding, ExpressionScores, ViewGroup } from '../../core/types.js';
import type { Model } from '../../encoder/index.js';

/** One score per person from the embeddings of their views. */
export class FuseStage {
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
  }

  /**
   * @param embeddings one a face of the group, in the faces' order.
   * @param stageMs what the stages before took; travels with the score.
   */
  push(
    group: ViewGroup,
    embeddings: readonly Embedding[],
    stageMs: Readonly<Record<string, number>>,
  ): ExpressionScores {
    const { probabilities, weights } = this.#model.fuse(
      embeddings.map(({ vector }) => vector),
      group.faces.map(({ pose, quality }) => ({ ...pose, quality })),
    );
    const { labels } = this.#model.manifest;
    const best = probabilities.indexOf(Math.max(...probabilities));
    return {
      subjectId: group.subjectId,
      atMs: group.atMs,
      scores: Object.fromEntries(labels.map((label, i) => [label, probabilities[i]!])),
      top: labels[best]!,
      confidence: probabilities[best]!,
      views: group.faces.map(({ cameraId, pose, quality }, i) => ({
        cameraId,
        weight: weights[i]!,
        yawDeg: pose.yawDeg,
        quality,
      })),
      stageMs,
    };
  }

  close(): void {
    // Holds nothing; every stage closes.
  }
}
