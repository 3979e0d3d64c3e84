import { z } from 'zod';

const probability = z.number().min(0).max(1);
const file = z.object({ bytes: z.number().int().nonnegative(), sha256: z.string().length(64) });

/** `manifest.json` of a model package. */
export const manifestSchema = z
  .object({
    format: z.literal('clmex-model'),
    version: z.literal(4),
    name: z.string().min(1),
    labels: z.array(z.string().min(1)).min(2),
    network: z.object({
      parameters: z.number().int().positive(),
      embedding: z.number().int().positive(),
    }),
    /** See CropSpec and CropMask: lengths in crop pixels. */
    crop: z.object({
      size: z.number().int().min(16).max(512),
      eyeDistancePx: z.number().positive(),
      eyeLinePx: z.number().positive(),
      mask: z.object({
        centreX: z.number(),
        centreY: z.number(),
        radiusX: z.number().positive(),
        radiusY: z.number().positive(),
        softPx: z.number().positive(),
      }),
    }),
    fusion: z.object({
      kind: z.literal('attention'),
      prototypesPerLabel: z.number().int().positive(),
    }),
    /** Entry n − 1 calibrates a group of n views; the last one holds beyond. */
    temperatures: z.array(z.number().positive()).min(1),
    /** Share of each label that the probabilities assume; sums to 1. */
    prior: z.array(probability),
    files: z.record(z.string(), file),
    /** How and from what the weights were learned. */
    training: z.record(z.string(), z.unknown()),
    /** What was measured with these weights, with the command that measures it again. */
    table: z.record(z.string(), z.unknown()),
  })
  .superRefine(({ labels, prior }, context) => {
    if (new Set(labels).size !== labels.length) {
      context.addIssue({ code: 'custom', path: ['labels'], message: 'a label stands twice' });
    }
    if (prior.length !== labels.length) {
      context.addIssue({
        code: 'custom',
        path: ['prior'],
        message: `needs ${labels.length} numbers, one a label`,
      });
    } else if (prior.some((share) => share <= 0) || Math.abs(sum(prior) - 1) > 1e-3) {
      context.addIssue({
        code: 'custom',
        path: ['prior'],
        message: 'must be positive and sum to 1',
      });
    }
  });

export type Manifest = z.infer<typeof manifestSchema>;

const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);
