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
  const given = Object.keys(prior);
  if (given.length !== labels.length || !labels.every((label) => prior[label] !== undefined)) {
    throw new ClmexError('invalid-config', 'one number for each of the labels is needed', {
      field: 'prior',
      value: given,
      allowed: labels.join(', '),
    });
  }
  const total = Object.values(prior).reduce((sum, share) => sum + share, 0);
  return withPrior(
    model,
    labels.map((label) => prior[label]! / total),
  );
}
