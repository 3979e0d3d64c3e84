import { z } from 'zod';
import { wrongField } from '../core/wrong-field.js';
import { BACKENDS } from '../encoder/backend/backend.js';
import { TRAINING_PROVIDERS } from '../encoder/backend/onnxruntime.js';

const optimiser = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('adamw'),
    beta1: z.number().min(0).lt(1).default(0.9),
    beta2: z.number().min(0).lt(1).default(0.99),
    epsilon: z.number().positive().default(1e-8),
    weightDecay: z.number().min(0).default(0.05),
  }),
  z.strictObject({
    kind: z.literal('sgd'),
    momentum: z.number().min(0).lt(1).default(0.9),
    weightDecay: z.number().min(0).default(1e-4),
    trust: z.number().min(0).default(0),
  }),
]);

const augmentation = z.strictObject({
  flip: z.boolean().default(true),
  rotateDeg: z.number().min(0).max(45).default(4),
  scale: z.number().min(0).max(0.5).default(0.05),
  shiftPx: z.number().min(0).max(16).default(1),
  /** Faces become up to this much taller, or shorter, against their width, pixels and landmarks. */
  stretch: z.number().min(0).max(0.5).default(0),
  /** Brightness follows a power between 1/γ and γ: the normalised crop cancels gain and offset. */
  gamma: z.number().min(1).max(4).default(1.5),
  /** Light from one side: a ramp of up to ± this share across the crop. */
  ramp: z.number().min(0).max(1).default(0.3),
  /** Standard deviation of pixel noise, in grey levels, up to this. */
  noise: z.number().min(0).max(32).default(4),
  /** How often a crop is blurred, and by how many passes at most; each adds half a squared pixel. */
  blur: z.number().min(0).max(1).default(0.2),
  blurPasses: z.number().int().min(1).max(8).default(1),
  erase: z.number().min(0).max(1).default(0.3),
  /** Deviation of the noise on standardised landmark features. */
  geometryNoise: z.number().min(0).max(2).default(0.15),
  /** How often the network has to do without the landmarks. */
  geometryDrop: z.number().min(0).max(1).default(0.1),
});

/** A training run as JSON. Every field but `stage` has a default. */
export const recipeSchema = z.strictObject({
  stage: z.enum(['pretrain', 'finetune']),
  network: z.enum(['small', 'base']).default('small'),
  /** A second stream that sees where the landmarks lie. */
  geometry: z.boolean().default(true),
  /**
   * Its share of the squared length of an embedding. On renders a third of it is as good; on real faces,
   * which pixels learned from renders see less well, more is better (docs/results.md).
   */
  geometryShare: z.number().gt(0).lt(1).default(0.6),
  backend: z.enum(BACKENDS).default('onnxruntime'),
  /** Where onnxruntime runs the encoder: `webgpu` is any GPU with a Vulkan, Metal or D3D12 driver. */
  provider: z.enum(TRAINING_PROVIDERS).default('cpu'),
  /** Threads of onnxruntime; on wasm and cpu processes that share each batch, 1 trains in this one. */
  workers: z.number().int().min(1).max(64).default(1),
  seed: z.number().int().default(1),
  steps: z.number().int().positive().default(2000),
  batch: z.strictObject({
    /** Pretraining: captures of one person are the hardest negatives. */
    people: z.number().int().positive().default(4),
    captures: z.number().int().positive().default(4),
    views: z.number().int().positive().default(4),
  }).prefault({}),
  /** At most this share of the training people's labels is seen (1 = all); finetuning only. */
  labelShare: z.number().gt(0).max(1).default(1),
  optimiser: optimiser.prefault({ kind: 'adamw' }),
  /** The encoder learns with weights and activations rounded as `clmex quantise` will. */
  quantiseAware: z.boolean().default(false),
  learningRate: z.number().positive().default(3e-3),
  warmupSteps: z.number().int().min(0).default(100),
  /** Decay of the running mean of the weights that is evaluated and exported. */
  average: z.number().min(0).lt(1).default(0.995),
  augmentation: augmentation.prefault({}),
  contrastive: z.strictObject({
    kind: z.enum(['supcon-out', 'supcon-in', 'ntxent', 'viewfx']).default('supcon-out'),
    temperature: z.number().positive().default(0.1),
    /** Its share of the finetuning loss. */
    weight: z.number().min(0).default(0.3),
  }).prefault({}),
  head: z.strictObject({
    prototypesPerLabel: z.number().int().positive().default(4),
    scale: z.number().positive().max(40).default(14),
    labelSmoothing: z.number().min(0).lt(1).default(0.1),
    /** Share of the loss on single views; the rest is on random non-empty subsets. */
    singleViews: z.number().min(0).max(1).default(0.5),
    /** Weight of the Jensen–Shannon divergence between a group's views; single pictures count as 0 in its mean. */
    agreement: z.number().min(0).default(0),
  }).prefault({}),
  /** Weight of the mean squared error of the expression shapes, where the data has them. */
  shapes: z.number().min(0).default(0),
  /**
   * Weight of the mean squared error of what a blendshape model reads from the landmarks, where the run
   * is given such a model; learned by the geometry stream.
   */
  blendshapes: z.number().min(0).default(1),
  /**
   * Weight of the mean squared error of what that model reads in the most frontal view of a moment, where
   * every view of the moment has to know it; learned by both streams.
   */
  frontal: z.number().min(0).default(0),
  /** Pictures of real people beside the rendered groups, where the run has some; finetuning only. */
  pictures: z.strictObject({
    /** A batch. */
    count: z.number().int().min(0).default(4),
    /** Of one picture against one rendered group in the loss of labels. */
    weight: z.number().positive().default(0.5),
  }).prefault({}),
  validateEvery: z.number().int().positive().default(250),
  saveEvery: z.number().int().positive().default(250),
}); // prettier-ignore

export type Recipe = z.infer<typeof recipeSchema>;
export type AugmentationRecipe = Recipe['augmentation'];

/** JSON Schema of recipes. */
export function recipeJsonSchema(): unknown {
  return z.toJSONSchema(recipeSchema, { io: 'input' });
}

/** @throws ClmexError `invalid-config` naming the field, its value and what is allowed. */
export function parseRecipe(value: unknown): Recipe {
  const parsed = recipeSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw wrongField(parsed.error.issues, value, {
    name: 'recipe',
    code: 'invalid-config',
    fields: 'only the fields of dist/recipe.schema.json',
  });
}
