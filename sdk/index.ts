/** The client of a clmex runtime, for browsers and Node. */
export { connect, type ConnectOptions } from './connect.js';
export type { Client, ClientEvents, Connection } from './client.js';
export type { ScoreStream, ScoresOptions } from './score-stream.js';
export { ClmexError, type ErrorCode } from '../core/errors.js';
export { PROTOCOL_VERSION } from '../core/protocol.js';
export type {
  CameraState,
  CameraStatus,
  Counts,
  FrameSetStatus,
  Percentiles,
  Preview,
  PreviewFace,
  Role,
  RuntimeStatus,
  StreamStatus,
  Subject,
  SubjectChange,
  Subscription,
} from '../core/protocol.js';
export { EXPRESSION_LABELS } from '../core/types.js';
export type { ExpressionLabel, ExpressionScores, ViewWeight } from '../core/types.js';
