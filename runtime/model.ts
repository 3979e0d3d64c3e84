import { ClmexError } from '../core/errors.js';
import { loadModel, withPrior, type Model } from '../encoder/index.js';
import type { Config } from './config.js';
import { DEFAULT_MODEL } from './inference/start.js';

/**
 * The configured model package, its probabilities for the site's own share of labels where the
 * configuration states one.
 * @throws ClmexError `model-invalid`, or `invalid-config` where the prior and the labels differ.
 */
export async function configuredModel({ model: path, prior }: Config): Promise<Model> {
  const model = await loadModel(path ?? DEFAULT_MODEL);
  if (prior === undefined) return model;
  const { labels } = model.manifest;
  const missing = labels.filter((label) => prior[label] === undefined);
  const unknown = Object.keys(prior).filter((label) => !labels.includes(label));
  if (missing.length > 0 || unknown.length > 0) {
    const wrong = [
      ...missing.map((label) => `${label} is missing`),
      ...unknown.map((label) => `the model has no label ${label}`),
    ];
    throw new ClmexError('invalid-config', wrong.join(', '), {
      field: 'prior',
      value: Object.keys(prior),
      allowed: `one number for each of ${labels.join(', ')}`,
    });
  }
  const total = Object.values(prior).reduce((sum, share) => sum + share, 0);
  return withPrior(
    model,
    labels.map((label) => prior[label]! / total),
  );
}
