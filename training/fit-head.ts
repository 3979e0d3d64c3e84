import { SlotList, views } from '../encoder/formats/tfjs.js';
import type { Head } from '../encoder/fusion.js';
import { batchTruth } from './batch.js';
import { listedGroups } from './dataset/groups.js';
import { differentiateLoss } from './differentiate.js';
import { unitInPlace } from './learner.js';
import { adamW, cosineSchedule } from './optimise/optimiser.js';
import type { Recipe } from './recipe.js';
import { balancedSampler, stepRandom } from './sampler.js';
import type { EmbeddedGroup } from './validate.js';

const BATCH = { people: 64, captures: 2, views: 5 };
const STEPS = 400;
const WARM_UP = 10;
const LEARNING_RATE = 2e-3;
/** Weight of the squared distance from the head before (docs/results.md, "The head fitted again"). */
const ANCHOR = 0.17;
const AGREEMENT = 2;
const OPTIMISER = adamW({ beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 });

/**
 * Prototypes and attention fitted again to the embeddings of an encoder that stays as it is (Kirichenko et
 * al. 2023, "Last layer re-training is sufficient for robustness to spurious correlations",
 * arXiv 2204.02937), as the finetuning loss of labels and agreement, starting from `head` and held near it.
 * A head knows the people it was trained with from how sure the encoder is of them; of other people, and of
 * an average of encoders, embeddings lie elsewhere. So the groups should be of people whom training never saw.
 * @param groups of at least two labels.
 * @param recipe its `head` and `seed` count.
 * @throws ClmexError `invalid-argument` where fewer labels occur.
 */
export async function fitHead(
  head: Head,
  groups: readonly EmbeddedGroup[],
  labels: readonly string[],
  recipe: Recipe,
): Promise<Head> {
  const list = new SlotList();
  for (const name of ['prototypes', 'query', 'viewBias'] as const)
    list.add(`head.${name}`, head[name], false);
  const { slots } = list;
  const start = list.toArray();
  const parameters = start.slice();
  const memory = OPTIMISER.init(parameters.length);
  const set = listedGroups(labels, groups);
  const sampler = balancedSampler(set, groups.map((_, i) => i), BATCH); // prettier-ignore
  const fitting = {
    ...recipe,
    contrastive: { ...recipe.contrastive, weight: 0 },
    head: { ...recipe.head, agreement: AGREEMENT },
  };
  for (let step = 0; step < STEPS; step++) {
    const random = stepRandom(recipe.seed, step);
    const drawn = sampler(random).map((one) => {
      const group = groups[one.group]!;
      const seed = random.integer(2 ** 31);
      return { ...group, seed, views: one.views.map((view) => group.views[view]!) };
    });
    const embeddings = rowsOf(drawn);
    const truth = batchTruth(drawn, true, new Float32Array(0));
    const { ofHeads } = await differentiateLoss(slots, fitting, parameters, embeddings, truth);
    ofHeads.forEach((value, i) => {
      ofHeads[i] = value + 2 * ANCHOR * (parameters[i]! - start[i]!);
    });
    const learningRate = cosineSchedule(step, STEPS, WARM_UP, LEARNING_RATE);
    OPTIMISER.update(parameters, ofHeads, memory, { step, learningRate, slots });
  }
  const fitted = views(slots, parameters);
  const prototypes = fitted.get('head.prototypes')!;
  unitInPlace(prototypes.data, prototypes.shape[1]!);
  return {
    ...head,
    prototypes,
    query: fitted.get('head.query')!,
    viewBias: fitted.get('head.viewBias')!,
  };
}

/** [rows, embedding] of the views, group by group. */
function rowsOf(groups: readonly EmbeddedGroup[]): Float32Array {
  const rows = groups.flatMap((group) => group.views.map(({ embedding }) => embedding));
  const width = rows[0]!.length;
  const all = new Float32Array(rows.length * width);
  rows.forEach((row, i) => all.set(row, i * width));
  return all;
}
