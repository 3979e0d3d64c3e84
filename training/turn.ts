import {
  add, apply, multiply, norm, normalize, rotationFromVector, scale, subtract, toRadians,
  type Vec3,
} from '../core/geometry.js'; // prettier-ignore
import { bandBetween, FACE_OVAL, warpPicture, type Painted, type RgbPicture } from './warp.js';

/** Where a face is seen from, against its picture; signs as in core's HeadPose. Degrees. */
export interface Turn {
  readonly yawDeg: number;
  readonly pitchDeg: number;
}

const POINTS = 468;
const RING = FACE_OVAL.map((_, i) => POINTS + i);
const RIM = RING.map((index) => index + RING.length);
const [FOREHEAD, CHIN, LEFT, RIGHT] = [10, 152, 234, 454];
/** Side of the square that is turned, over the face's own width and height; background lies at its rim. */
const REGION = 2.4;
/** A face larger than this is first made smaller: the aligned crop is far smaller still. */
const MOST_FACE_PX = 160;
/** The head behind the mesh's border, as multiples of half the face's width: outwards and back. */
const SIDE_OUT = 0.3;
const SIDE_BACK = 0.8;

/**
 * The face of a picture seen from another side (face profiling, Zhu et al. 2016, "Face alignment
 * across large poses", section 4): the measured mesh carries the picture's pixels, is turned about the head's own
 * upright axis, then about the line through its temples as the picture shows it, and drawn with a depth
 * buffer, so that what the turn hides is hidden. Around it lies a ring for the sides of the head, which
 * turns too, and the picture's background, which stays; skin that the picture shows foreshortened is
 * stretched. Sound for faces that look into the camera, up to about 60° of yaw and 25° of pitch.
 * @param landmarks 468 × 3 picture pixels, depth in the same scale, as in core's Face.
 * @param triangles three indices each.
 * @param worn turns along; in the picture's pixels, depth in the same scale.
 * @returns the face and its surroundings, a picture a turn.
 */
export function turnFace(
  picture: RgbPicture,
  landmarks: Float32Array,
  triangles: readonly number[],
  turns: readonly Turn[],
  worn?: Painted,
): RgbPicture[] {
  if (turns.length === 0) return [];
  const { window, inWindow } = windowAround(picture, landmarks);
  const points = inWindow(landmarks.subarray(0, 3 * POINTS));
  const all = [...triangles, ...bandBetween(FACE_OVAL, RING), ...bandBetween(RING, RIM)];
  return turns.map((turn) => {
    const { from, to, turnAlong } = turned(points, window.width, turn);
    const painted = worn && { ...worn, positions: turnAlong(inWindow(worn.positions)) };
    return warpPicture(window, { from, to }, all, painted);
  });
}

/** The face and its surroundings, at most as fine as needed, and where points of the picture lie in it. */
function windowAround(picture: RgbPicture, landmarks: Float32Array) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < POINTS; i++) {
    const [x, y] = [landmarks[3 * i]!, landmarks[3 * i + 1]!];
    [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)]; // prettier-ignore
  }
  const face = Math.max(right - left, bottom - top, 1);
  const scale = Math.min(1, MOST_FACE_PX / face);
  const side = Math.max(8, Math.round(REGION * face * scale));
  const [x0, y0] = [(left + right) / 2 - side / scale / 2, (top + bottom) / 2 - side / scale / 2];
  const pixels = new Uint8Array(side * side * 3);
  const taps = Math.ceil(1 / scale);
  const sample = new Float64Array(3);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      sample.fill(0);
      for (let t = 0; t < taps * taps; t++) {
        const [u, v] = [(t % taps) + 0.5, Math.floor(t / taps) + 0.5];
        addSample(picture, x0 + (x + u / taps) / scale, y0 + (y + v / taps) / scale, sample);
      }
      for (let c = 0; c < 3; c++) pixels[(y * side + x) * 3 + c] = sample[c]! / (taps * taps) + 0.5;
    }
  }
  const offset = [x0, y0, 0];
  const inWindow = (points: Float32Array): Float32Array =>
    points.map((value, i) => (value - offset[i % 3]!) * scale);
  return { window: { width: side, height: side, pixels }, inWindow };
}

/** Mesh, the ring around it, and a rim that stays; before and after the turn, which other points can follow. */
function turned(points: Float32Array, side: number, { yawDeg, pitchDeg }: Turn) {
  const at = (index: number): Vec3 => [points[3 * index]!, points[3 * index + 1]!, points[3 * index + 2]!]; // prettier-ignore
  const centre = scale(add(at(LEFT), at(RIGHT)), 0.5);
  const halfWidth = norm(subtract(at(LEFT), at(RIGHT))) / 2;
  const ring = FACE_OVAL.map((index): Vec3 => {
    const out = subtract(at(index), centre);
    const grow = 1 + (SIDE_OUT * halfWidth) / Math.max(1, Math.hypot(out[0], out[1]));
    const [x, y] = [centre[0] + grow * out[0], centre[1] + grow * out[1]];
    return [x, y, at(index)[2] + SIDE_BACK * halfWidth];
  });
  const rim = ring.map(([x, y]): Vec3 => {
    const [dx, dy] = [x - side / 2, y - side / 2];
    const grow = side / 2 / Math.max(1, Math.abs(dx), Math.abs(dy));
    return [side / 2 + grow * dx, side / 2 + grow * dy, centre[2] + 2 * halfWidth];
  });
  const moving = [...Array.from({ length: POINTS }, (_, i) => at(i)), ...ring];
  const down = normalize(subtract(at(CHIN), at(FOREHEAD)));
  // A positive turn about the downward axis takes the nose, which points at us, to the right.
  const yaw = rotationFromVector(scale(down, -toRadians(yawDeg)));
  const across = normalize(subtract(at(RIGHT), at(LEFT)));
  const pitch = rotationFromVector(scale(across, -toRadians(pitchDeg)));
  const turn = multiply(pitch, yaw);
  const move = (point: Vec3): Vec3 => add(centre, apply(turn, subtract(point, centre)));
  return {
    from: Float32Array.from([...moving, ...rim].flatMap(([x, y]) => [x, y])),
    to: Float32Array.from([...moving.map(move), ...rim].flat()),
    turnAlong: (others: Float32Array): Float32Array => {
      const out = new Float32Array(others.length);
      for (let i = 0; i < out.length; i += 3)
        out.set(move([others[i]!, others[i + 1]!, others[i + 2]!]), i);
      return out;
    },
  };
}

/** Adds the picture's colour at a place: bilinear, a pixel's centre at +0.5; the border repeats. */
function addSample(
  { width, height, pixels }: RgbPicture,
  x: number,
  y: number,
  sum: Float64Array,
): void {
  const cx = Math.min(width - 1, Math.max(0, x - 0.5));
  const cy = Math.min(height - 1, Math.max(0, y - 0.5));
  const [x0, y0] = [cx | 0, cy | 0];
  const [fx, fy] = [cx - x0, cy - y0];
  const i = (y0 * width + x0) * 3;
  const right = x0 + 1 < width ? 3 : 0;
  const below = y0 + 1 < height ? width * 3 : 0;
  for (let c = 0; c < 3; c++) {
    const upper = pixels[i + c]! * (1 - fx) + pixels[i + right + c]! * fx;
    const lower = pixels[i + below + c]! * (1 - fx) + pixels[i + below + right + c]! * fx;
    sum[c]! += upper * (1 - fy) + lower * fy;
  }
}
