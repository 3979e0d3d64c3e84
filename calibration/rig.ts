import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { ClmexError } from '../core/errors.js';

const finite = z.number();
const vec3 = z.tuple([finite, finite, finite]);
const mat3 = z.tuple([finite, finite, finite, finite, finite, finite, finite, finite, finite]);

const cameraSchema = z.strictObject({
  /** Size in pixels of the frames the calibration was made on. */
  width: z.int().positive(),
  height: z.int().positive(),
  /** Pinhole intrinsics in pixels. */
  matrix: z.strictObject({
    fx: finite.positive(),
    fy: finite.positive(),
    cx: finite,
    cy: finite,
  }),
  /** OpenCV's k1 k2 p1 p2 k3. */
  distortion: z.tuple([finite, finite, finite, finite, finite]),
  /** World to camera, row-major: X_camera = rotation · X_world + translation (metres). */
  rotation: mat3,
  translation: vec3,
});

const rigSchema = z.strictObject({
  $schema: z.string().optional(),
  units: z.literal('metres'),
  cameras: z.record(z.string(), cameraSchema),
});

export type CameraCalibration = z.infer<typeof cameraSchema>;

/**
 * Where a rig's cameras stand and how they see. It describes frames as the cameras deliver them;
 * a camera mounted on its side is turned upright by {@link uprightCamera}.
 */
export type RigCalibration = z.infer<typeof rigSchema>;

/** @throws ClmexError `invalid-file` naming the first wrong field. */
export function parseRig(json: unknown, path = 'calibration'): RigCalibration {
  const parsed = rigSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new ClmexError('invalid-file', `not a rig calibration: ${issue.message}`, {
    field: [path, ...issue.path].join('.'),
    allowed:
      'a JSON document with units, cameras.<id>.{width,height,matrix,distortion,rotation,translation}',
  });
}

/** @throws ClmexError `not-found` where the file cannot be read, `invalid-file` where it is wrong. */
export async function readRig(path: string): Promise<RigCalibration> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new ClmexError('not-found', 'cannot read the calibration', {
      field: 'calibration',
      value: path,
      cause,
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ClmexError('invalid-file', 'the calibration is not JSON', {
      field: 'calibration',
      value: path,
      cause,
    });
  }
  return parseRig(json, path);
}

/**
 * The same camera after its frames have been turned clockwise by quarter turns. One turn maps
 * camera axes (x, y) to (−y, x), which swaps the focal lengths, moves the principal point and maps
 * the tangential coefficients (p1, p2) to (p2, −p1).
 */
export function uprightCamera(camera: CameraCalibration, quarterTurns: number): CameraCalibration {
  let turned = camera;
  for (let i = ((quarterTurns % 4) + 4) % 4; i > 0; i--) turned = quarterTurn(turned);
  return turned;
}

function quarterTurn(camera: CameraCalibration): CameraCalibration {
  const { fx, fy, cx, cy } = camera.matrix;
  const [k1, k2, p1, p2, k3] = camera.distortion;
  const [a, b, c, d, e, f, g, h, i] = camera.rotation;
  const [x, y, z] = camera.translation;
  return {
    width: camera.height,
    height: camera.width,
    matrix: { fx: fy, fy: fx, cx: camera.height - 1 - cy, cy: cx },
    distortion: [k1, k2, p2, -p1, k3],
    rotation: [-d, -e, -f, a, b, c, g, h, i],
    translation: [-y, x, z],
  };
}
