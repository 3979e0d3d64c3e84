import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { ClmexError } from '../core/errors.js';
import { cameraSchema, type Source } from './camera/config.js';
import { ENCODER_ENGINES, PRECISIONS } from './engine/encoder.js';
import { PROVIDERS } from './engine/engine.js';
import { streamSchema } from './stream/config.js';
import { syncSchema } from './sync/config.js';
import { wrongField } from '../core/wrong-field.js';

const facesSchema = z.strictObject({
  detector: z.enum(['auto', 'short', 'full']).default('auto')
    .describe('short: faces up to 2 m; full: up to 5 m; auto: picks per camera.'), // prettier-ignore
  landmarks: z.string().optional()
    .describe('A face_landmarker.task file for 478 points and blendshapes instead of 468 points.'), // prettier-ignore
});

const MOST_CAMERAS = 8;
const MOST_SUBJECTS = 8;

const configSchema = z.strictObject({
  $schema: z.string().optional(),
  cameras: z
    .array(cameraSchema)
    .min(1)
    .max(MOST_CAMERAS)
    .superRefine((cameras, context) => {
      for (const [i, camera] of cameras.entries()) {
        if (cameras.findIndex((other) => other.id === camera.id) < i) {
          context.addIssue({
            code: 'custom',
            path: [i, 'id'],
            message: `camera listed twice: every id must differ`,
            input: camera.id,
          });
        }
      }
    }),
  sync: syncSchema.prefault({}),
  calibration: z
    .union([z.string().min(1), z.literal(false)])
    .optional()
    .describe(
      'Path of a rig calibration. Without it a recording brings its own, and other rigs are placed by the heads they see; false: always the latter.',
    ), // prettier-ignore
  model: z
    .string()
    .optional()
    .describe('Directory of a model package; the shipped one without it.'),
  prior: z
    .record(z.string(), z.number().positive())
    .optional()
    .describe(
      'How often each label occurs at this site, in any unit, e.g. { "neutral": 8, "happiness": 2, … }; the model assumes its own otherwise.',
    ),
  engine: z
    .strictObject({
      kind: z
        .enum(ENCODER_ENGINES)
        .default('onnxruntime')
        .describe('What the encoder runs on; auto measures at the first start and remembers.'),
      precision: z
        .enum(PRECISIONS)
        .default('fp32')
        .describe('int8 needs a model package that `clmex quantise` was run on; auto: the faster.'),
      provider: z
        .enum(PROVIDERS)
        .default('cpu')
        .describe('Where onnxruntime computes; falls back to the CPU and says so.'),
      threads: z.int().min(1).max(64).optional()
        .describe('CPU threads of the networks; cameras are shared out among them. One a core, 4 at most, where left out.'), // prettier-ignore
    })
    .prefault({}),
  faces: facesSchema.prefault({}),
  subjects: z
    .strictObject({
      max: z.int().min(1).max(MOST_SUBJECTS).default(4).describe('People followed at once.'),
      leftAfterMs: z.number().min(100).max(60_000).default(1500)
        .describe('A person unseen for this long has left.'), // prettier-ignore
    })
    .prefault({}),
  stream: streamSchema.prefault({}),
  privacy: z
    .strictObject({
      previews: z.boolean().default(false)
        .describe('Sends small live pictures to the dashboard. Off: no picture leaves the runtime.'), // prettier-ignore
      previewHz: z.number().positive().max(30).default(6),
      previewWidth: z.int().min(64).max(640).default(400),
    })
    .prefault({}),
});

/** What the configuration file says, defaults filled in, paths absolute. */
export type Config = z.infer<typeof configSchema>;
/** What a configuration file may say. */
export type ConfigInput = z.input<typeof configSchema>;

/** The JSON Schema (draft 2020-12) of a configuration file, for editors. */
export function configJsonSchema(): unknown {
  return z.toJSONSchema(configSchema, { io: 'input' });
}

const DOCUMENT = {
  name: 'configuration',
  code: 'invalid-config',
  fields: 'only the fields of dist/config.schema.json',
} as const;

/**
 * @param base directory that relative paths start from.
 * @throws ClmexError `invalid-config` naming the first wrong field, its value and what is allowed.
 */
export function parseConfig(json: unknown, base = process.cwd()): Config {
  const parsed = configSchema.safeParse(json);
  if (!parsed.success) throw wrongField(parsed.error.issues, json, DOCUMENT);
  return absolute(parsed.data, base);
}

/** @throws ClmexError `invalid-config` where the file cannot be read, is no JSON or is wrong. */
export async function readConfig(path: string): Promise<Config> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ClmexError('invalid-config', 'cannot read the configuration', {
      field: 'config',
      value: path,
      allowed: 'a readable JSON file',
      cause,
    });
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ClmexError('invalid-config', `the configuration is not JSON: ${reason}`, {
      field: 'config',
      value: path,
      allowed: 'one JSON object',
      cause,
    });
  }
  return parseConfig(json, dirname(resolve(path)));
}

function absolute(config: Config, base: string): Config {
  const from = (path: string): string => resolve(base, path);
  return {
    ...config,
    cameras: config.cameras.map((camera) => ({
      ...camera,
      source: absoluteSource(camera.source, from),
    })),
    ...(typeof config.calibration === 'string' && { calibration: from(config.calibration) }),
    ...(config.model !== undefined && { model: from(config.model) }),
    faces: {
      ...config.faces,
      ...(config.faces.landmarks !== undefined && { landmarks: from(config.faces.landmarks) }),
    },
  };
}

function absoluteSource(source: Source, from: (path: string) => string): Source {
  switch (source.kind) {
    case 'video':
      return {
        ...source,
        path: from(source.path),
        ...(source.timestamps !== undefined && { timestamps: from(source.timestamps) }),
      };
    case 'recording':
      return { ...source, path: from(source.path) };
    default:
      return source;
  }
}
