import { collapseStatistics } from '../encoder/contrastive/index.js';
import { fuseViews, softmax, type Head } from '../encoder/fusion.js';
import type { Network } from '../encoder/index.js';
import { joinView } from '../encoder/view.js';
import { Random } from '../encoder/random.js';
import type { GroupSet, LabelledGroup } from './dataset/groups.js';
import { embedCrops, type OnEmbedded } from './embed.js';
import { neighbourAccuracy } from './neighbours.js';
import { argmax, logLoss, metricsOf, type Scored } from './metrics.js';

export interface EmbeddedGroup extends Omit<LabelledGroup, 'views'> {
  readonly views: readonly (LabelledGroup['views'][number] & {
    readonly embedding: Float32Array;
  })[];
}

/** At most `most` groups, the same ones for the same seed, with their embeddings. */
export async function embedGroups(
  set: GroupSet,
  indices: readonly number[],
  most: number,
  { graph, geometry }: Network,
  onEmbedded?: OnEmbedded,
): Promise<EmbeddedGroup[]> {
  // All of them stay in their order: an evaluation of the same groups draws the same subsets of views.
  const chosen =
    most >= indices.length ? indices : new Random(1).shuffle([...indices]).slice(0, most);
  const groups = chosen.map((index) => set.read(index));
  const pixels = await embedCrops(
    graph,
    groups.flatMap(({ views }) => views.map(({ crop }) => crop)),
    onEmbedded,
  );
  let at = 0;
  return groups.map((group) => ({
    ...group,
    views: group.views.map((view) => ({
      ...view,
      embedding: joinView(pixels[at++]!, geometry, view.landmarks),
    })),
  }));
}

/** What the log says of people the run never trains on. */
export type Validation = Readonly<Record<string, number>>;

/**
 * Collapse statistics, from two views on, and how well neighbours of other people share the label, from
 * two people on.
 */
export function validateEmbeddings(groups: readonly EmbeddedGroup[]): Validation {
  const rows = groups.flatMap((group, g) =>
    group.views.map(({ embedding }) => ({ g, group, embedding })),
  );
  const collapse = collapseStatistics(
    rows.map(({ embedding }) => embedding),
    rows.map(({ g }) => g),
  );
  const people = new Set(groups.map(({ personId }) => personId)).size;
  const examples = rows.map(({ group, embedding }) => ({
    personId: group.personId,
    label: group.label,
    vector: embedding,
  }));
  return {
    ...(rows.length > 1 && collapse),
    ...(people > 1 && { knn: neighbourAccuracy(examples) }),
  };
}

/** Accuracy of single views and of fused groups, before calibration. */
export function validateHead(
  groups: readonly EmbeddedGroup[],
  head: Head,
  labels: readonly string[],
): Validation {
  const score = (group: EmbeddedGroup, views: EmbeddedGroup['views']): Scored => {
    const { logits } = fuseViews(
      head,
      views.map(({ embedding }) => embedding),
      views,
    );
    return { label: group.label, probabilities: softmax(logits) };
  };
  const single = groups.flatMap((group) => group.views.map((view) => score(group, [view])));
  const fused = groups.map((group) => score(group, group.views));
  return {
    loss: logLoss(fused),
    single: metricsOf(labels, single).balancedAccuracy,
    fused: metricsOf(labels, fused).balancedAccuracy,
    fusedAccuracy:
      fused.filter(({ label, probabilities }) => argmax(probabilities!) === label).length /
      Math.max(1, fused.length),
  };
}
