import { readRig, uprightCamera, type RigCalibration } from '../calibration/index.js';
import { ClmexError } from '../core/errors.js';
import type { Config } from './config.js';
import { readRecordingRig } from './recording/index.js';

/** The rig of upright frames: the configured one, or the one a recording brings. */
export async function rigOf(config: Config): Promise<RigCalibration | undefined> {
  if (config.calibration === false) return undefined;
  const rig =
    config.calibration === undefined
      ? await recordedRig(config)
      : await readRig(config.calibration);
  if (rig === undefined) return undefined;
  const cameras: RigCalibration['cameras'] = {};
  for (const { id, source, rotate } of config.cameras) {
    const camera = rig.cameras[source.kind === 'recording' ? (source.cameraId ?? id) : id];
    if (camera === undefined) {
      throw new ClmexError('invalid-config', 'the rig calibration lacks this camera', {
        field: 'calibration',
        value: id,
        allowed: Object.keys(rig.cameras).join(', '),
      });
    }
    cameras[id] = uprightCamera(camera, rotate);
  }
  return { ...rig, cameras };
}

async function recordedRig({ cameras }: Config): Promise<RigCalibration | undefined> {
  const paths = new Set(
    cameras.map(({ source }) => (source.kind === 'recording' ? source.path : undefined)),
  );
  const [path] = paths;
  return paths.size === 1 && path !== undefined ? readRecordingRig(path) : undefined;
}
