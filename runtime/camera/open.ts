import { ClmexError } from '../../core/errors.js';
import type { Camera, CameraContext, FrameSource } from './camera.js';
import type { CameraConfig } from './config.js';
import { openRecording } from './recording.js';
import { SourceCamera } from './source-camera.js';
import { openVideo } from './video.js';

/**
 * Opens a camera; nothing runs before `frames()` is read.
 * @throws ClmexError `not-found`, `invalid-file`, … naming the camera's field. A device or a server
 * that does not answer is no error here: a live camera connects again and again, and says so in its
 * status.
 */
export async function openCamera(config: CameraConfig, context: CameraContext): Promise<Camera> {
  return new SourceCamera(config.id, await openSource(config, context), context);
}

async function openSource(config: CameraConfig, context: CameraContext): Promise<FrameSource> {
  const { source } = config;
  switch (source.kind) {
    case 'video':
      return openVideo(config, source, context);
    case 'recording':
      return openRecording(config, source, context);
    default:
      throw new ClmexError('unsupported', 'not yet', { field: 'source.kind', value: source.kind });
  }
}
