export type { Camera, CameraState, CameraStatus } from './camera.js';
export { PicturesThread } from './pictures-thread.js';
export { openCamera } from './open.js';
export { mergeCameras } from './merge.js';
export { Timeline } from './timeline.js';
