import { ClmexError } from '../../core/errors.js';
import { fieldOf, type Camera, type CameraContext, type FrameSource } from './camera.js';
import type { CameraConfig } from './config.js';
import { openGstreamer } from './gstreamer.js';
import { openRecording } from './recording.js';
import { openRtsp } from './rtsp.js';
import { SourceCamera } from './source-camera.js';
import { openV4l2 } from './v4l2.js';
import { openVideo } from './video.js';
import { openWebcam } from './webcam.js';

/**
 * Opens a camera; nothing runs before `frames()` is read.
 * @throws ClmexError `not-found`, `invalid-file`, … naming the camera's field. A device or a server
 * that does not answer is no error here: a live camera connects again and again, and says so in its
 * status.
 */
export async function openCamera(config: CameraConfig, context: CameraContext): Promise<Camera> {
  try {
    return new SourceCamera(config.id, await openSource(config, context), context);
  } catch (error) {
    if (!(error instanceof ClmexError) || error.field !== undefined) throw error;
    throw error.of(fieldOf(config, context));
  }
}

async function openSource(config: CameraConfig, context: CameraContext): Promise<FrameSource> {
  const { source } = config;
  switch (source.kind) {
    case 'video':
      return openVideo(config, source, context);
    case 'recording':
      return openRecording(config, source, context);
    case 'v4l2':
      return openV4l2(config, source, context);
    case 'rtsp':
      return openRtsp(config, source, context);
    case 'gstreamer':
      return openGstreamer(config, source, context);
    case 'node-webcam':
      return openWebcam(config, source, context);
    default:
      return source satisfies never;
  }
}
