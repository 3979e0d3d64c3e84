export { SyncStage } from './sync.js';
export type { SyncConfig } from './config.js';
export { FrameTimer } from './frame-timer.js';
