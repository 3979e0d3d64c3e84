/** The runtime as a library: what `clmex start` and `clmex score` are made of. */
export { configJsonSchema, parseConfig, readConfig } from './config.js';
export type { Config, ConfigInput } from './config.js';
export { proveCamera } from './prove-camera.js';
export { rigOf } from './rig.js';
export { Runtime, type RuntimeEvents } from './runtime.js';
export { score, type CameraSummary, type ScoreOptions, type ScoreSummary } from './score.js';
export { DEFAULT_MODEL, proveInference } from './inference/start.js';
export {
  readTruth, summarizeFrames, summarizeRecording, type RecordingSummary,
} from './recording/index.js'; // prettier-ignore
export type { EmbeddedGroup, PipelineResult } from './pipeline.js';
export type { SubjectChange } from './views/views.js';
export type { Mat3, Vec3 } from '../core/geometry.js';
export type * from '../core/types.js';
export { ClmexError, type ErrorCode } from '../core/errors.js';
