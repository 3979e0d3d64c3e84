/**
 * Schemas of the messages in protocol.ts, for whichever side receives them: the runtime checks what
 * clients send, the SDK what the runtime sends. zod/mini, because a browser downloads them.
 * Unknown keys are dropped: a newer peer of the same protocol version may say more.
 */
import * as z from 'zod/mini';
import { ClmexError, type ErrorCode } from './errors.js';
import { CAMERA_STATES, ROLES } from './protocol.js';
import type {
  CameraStatus,
  Handshake,
  Preview,
  Reply,
  RuntimeStatus,
  ScoresMessage,
  Snapshot,
  Subject,
  SubjectChange,
  Subscription,
} from './protocol.js';
import type { ExpressionScores } from './types.js';

// zod compiles schemas with `new Function` where it may, and a page's content-security policy
// reports the attempt. These few are interpreted; others' schemas are left as they were.
const { jitless = false } = z.config();
z.config({ jitless: true });

/** A schema of messages of type T. */
export type Schema<T> = z.ZodMiniType<T>;

const id = z.string().check(z.minLength(1), z.maxLength(128));
const text = z.string().check(z.maxLength(2000));
const count = z.number().check(z.nonnegative());
const counts = z.record(id, count);
const ids = z.array(id).check(z.maxLength(64));
const percentiles = z.object({ p50: z.number(), p95: z.number() });

const subscription = {
  subjects: z.exactOptional(ids),
  cameras: z.exactOptional(ids),
};
export const subscriptionSchema: Schema<Subscription> = z.object(subscription);

/** The handshake without its version, which is judged first. */
export const handshakeSchema: Schema<Handshake> = z.object({
  protocol: z.number(),
  token: z.exactOptional(z.string().check(z.maxLength(512))),
  paced: z.exactOptional(z.boolean()),
  ...subscription,
});

const expressionScores: Schema<ExpressionScores> = z.object({
  subjectId: id,
  atMs: z.number(),
  scores: z.record(id, z.number()),
  top: id,
  confidence: z.number(),
  views: z
    .array(z.object({ cameraId: id, weight: z.number(), yawDeg: z.number(), quality: z.number() }))
    .check(z.maxLength(64)),
  stageMs: z.record(id, z.number()),
});

const scores = z.array(expressionScores).check(z.maxLength(256));
export const scoresSchema: Schema<ScoresMessage> = z.object({
  atMs: z.number(),
  scores,
  dropped: count,
});

const subject: Schema<Subject> = z.object({
  subjectId: id,
  firstMs: z.number(),
  lastMs: z.number(),
  cameraIds: ids,
});
export const subjectSchema: Schema<SubjectChange> = z.object({
  kind: z.enum(['appeared', 'changed', 'left']),
  subject,
});

const camera: Schema<CameraStatus> = z.object({
  cameraId: id,
  state: z.enum(CAMERA_STATES),
  detail: z.exactOptional(text),
  fps: count,
  width: count,
  height: count,
  frames: count,
  faces: count,
  stampSource: z.exactOptional(z.enum(['device', 'driver', 'rtp', 'file', 'arrival'])),
  offsetMs: z.exactOptional(z.number()),
  driftPpm: z.exactOptional(z.number()),
  uncertaintyMs: z.exactOptional(z.number()),
  drops: counts,
  missing: counts,
});

export const statusSchema: Schema<RuntimeStatus> = z.object({
  atMs: z.number(),
  uptimeMs: count,
  engine: text,
  cameras: z.array(camera).check(z.maxLength(64)),
  frameSets: z.object({
    total: count,
    complete: count,
    partial: count,
    rate: count,
    spreadMs: percentiles,
  }),
  stagesMs: z.record(id, percentiles),
  drops: counts,
  stream: z.object({ clients: count, dropped: counts, refused: counts }),
});

const box = z.object({ x: z.number(), y: z.number(), width: z.number(), height: z.number() });
const bytes = z.union([
  z.instanceof(Uint8Array),
  // What arrives in a browser: socket.io gives the bare buffer there.
  z.pipe(
    z.instanceof(ArrayBuffer),
    z.transform((buffer: ArrayBuffer) => new Uint8Array(buffer)),
  ),
]);
export const previewSchema: Schema<Preview> = z.object({
  cameraId: id,
  atMs: z.number(),
  width: count,
  height: count,
  jpeg: bytes,
  faces: z
    .array(
      z.object({
        trackId: id,
        subjectId: z.exactOptional(id),
        box,
        yawDeg: z.number(),
        quality: z.number(),
        points: z.array(z.number()).check(z.maxLength(2048)),
      }),
    )
    .check(z.maxLength(64)),
});

export const snapshotSchema: Schema<Snapshot> = z.object({
  protocol: z.number(),
  version: text,
  role: z.enum(ROLES),
  labels: ids,
  cameraIds: ids,
  previews: z.boolean(),
  subjects: z.array(subject).check(z.maxLength(256)),
  scores,
  status: z.exactOptional(statusSchema),
});

const refusal = z.object({
  code: z.string().check(z.maxLength(64)) as unknown as Schema<ErrorCode>,
  message: text,
  field: z.exactOptional(text),
  value: z.exactOptional(z.unknown()),
  allowed: z.exactOptional(text),
});
export const refusalSchema = refusal;
export const replySchema: Schema<Reply> = z.union([
  z.object({ ok: z.literal(true) }),
  z.object({ ok: z.literal(false), error: refusal }),
]);

z.config({ jitless });

/**
 * `value` as the schema reads it.
 * @throws ClmexError `invalid-argument` naming the first field that is wrong, under `field`.
 */
export function parseMessage<T>(schema: Schema<T>, value: unknown, field: string): T {
  const result = z.safeParse(schema, value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  let given: unknown = value;
  let path = field;
  for (const part of issue.path) {
    given = (given as Record<PropertyKey, unknown> | null | undefined)?.[part];
    path += typeof part === 'number' ? `[${part}]` : `.${String(part)}`;
  }
  const allowed = allowedBy(issue);
  throw new ClmexError('invalid-argument', 'malformed message', {
    field: path,
    value: given,
    allowed,
  });
}

function allowedBy(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `${/^[aeiou]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`;
    case 'invalid_value':
      return issue.values.map(String).join(', ');
    case 'too_big':
      return `at most ${issue.maximum}`;
    case 'too_small':
      return `at least ${issue.minimum}`;
    default:
      return 'see docs/protocol.md';
  }
}
