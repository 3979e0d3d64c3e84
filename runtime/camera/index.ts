export type { Camera, CameraContext, CameraState, CameraStatus } from './camera.js';
export { openCamera } from './open.js';
export { mergeCameras, type MergedEvent } from './merge.js';
export { Timeline } from './timeline.js';
