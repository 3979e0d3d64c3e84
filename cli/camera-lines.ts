import { progress } from './output.js';

interface CameraLife {
  readonly cameraId: string;
  readonly state: string;
  readonly detail?: string | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/** A line of progress for every camera that becomes something else than it was. */
export function cameraLines(): (camera: CameraLife) => void {
  const states = new Map<string, string>();
  return ({ cameraId, state, detail, width, height }) => {
    const reason = detail === undefined ? '' : `: ${detail}`;
    const now = state === 'live' ? `live, ${width}×${height}` : `${state}${reason}`;
    if (states.get(cameraId) === now) return;
    states.set(cameraId, now);
    progress(`camera '${cameraId}' ${now}`);
  };
}
