import type { Session } from '../engine/engine.js';
import { decodeDetections, makeAnchors, type Detection, type DetectorSpec } from './detection.js';
import { Sampler, type Look } from './sampler.js';

/** One of MediaPipe's face detectors, over a batch of looks at once. */
export class Detector {
  readonly #session: Session;
  readonly #spec: DetectorSpec;
  readonly #anchors: Float32Array;
  readonly #sampler: Sampler;
  readonly #names: DetectorNames;

  constructor(session: Session, spec: DetectorSpec, names: DetectorNames) {
    this.#session = session;
    this.#spec = spec;
    this.#anchors = makeAnchors(spec);
    this.#sampler = new Sampler({ side: spec.side, range: [-1, 1], border: 'black' });
    this.#names = names;
  }

  /** Faces found in each look, best first, in picture pixels. */
  async detect(looks: readonly Look[], minScore = this.#spec.minScore): Promise<Detection[][]> {
    if (looks.length === 0) return [];
    const { side } = this.#spec;
    const data = this.#sampler.sample(looks);
    const { input, regressors, logits } = this.#names;
    const outputs = await this.#session.run({ [input]: { data, shape: [looks.length, side, side, 3] } }); // prettier-ignore
    return looks.map(({ region }, i) =>
      decodeDetections(
        this.#spec,
        this.#anchors,
        outputs[regressors]!.data,
        outputs[logits]!.data,
        i,
        region,
        minScore,
      ),
    );
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}

/** Names of the model's tensors. */
export interface DetectorNames {
  readonly input: string;
  readonly regressors: string;
  readonly logits: string;
}
