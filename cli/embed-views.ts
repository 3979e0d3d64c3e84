import { ROWS_PER_VIEW, type Model } from '../encoder/index.js';
import { cosine } from '../encoder/quantise/choose.js';
import type { Session } from '../runtime/engine/engine.js';
import type { CroppedView } from './bench-crops.js';
import { inputsOf } from './quantise-model.js';

const VIEWS = 16;

/** Unit vectors of these views, in their order. */
export async function embedViews(
  model: Model,
  session: Session,
  views: readonly CroppedView[],
): Promise<Float32Array[]> {
  const { size } = model.manifest.crop;
  const [input, output] = [model.graph.inputs[0]!.name, model.graph.outputs[0]!.name];
  const all: Float32Array[] = [];
  for (let at = 0; at < views.length; at += VIEWS) {
    const part = views.slice(at, at + VIEWS);
    const crops = part.map(({ crop }) => crop);
    const feed = {
      data: inputsOf(model, crops),
      shape: [ROWS_PER_VIEW * part.length, size, size, 1],
    };
    const { data } = (await session.run({ [input]: feed }))[output]!;
    const width = data.length / part.length;
    part.forEach(({ landmarks }, i) =>
      all.push(model.join(data.slice(i * width, (i + 1) * width), landmarks)),
    );
  }
  return all;
}

/** How near two sets of embeddings of the same views are. */
export interface Nearness {
  readonly embeddingCosine: number;
  readonly leastCosine: number;
  /** Share of the views that get the same label on their own. */
  readonly topLabelAgreement: number;
}

export function compareEmbeddings(
  model: Model,
  views: readonly CroppedView[],
  expected: readonly Float32Array[],
  got: readonly Float32Array[],
): Nearness {
  const cosines = expected.map((embedding, i) => cosine(embedding, got[i]!));
  const agreed = views.filter((view, i) => topOf(model, expected[i]!, view) === topOf(model, got[i]!, view)); // prettier-ignore
  return {
    embeddingCosine: cosines.reduce((sum, value) => sum + value, 0) / cosines.length,
    leastCosine: Math.min(...cosines),
    topLabelAgreement: agreed.length / views.length,
  };
}

function topOf(model: Model, embedding: Float32Array, view: CroppedView): number {
  const { probabilities } = model.fuse([embedding], [view]);
  return probabilities.indexOf(Math.max(...probabilities));
}
