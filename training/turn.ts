import {
  add, apply, multiply, norm, normalize, rotationFromVector, scale, subtract, toRadians,
  type Vec3,
} from '../core/geometry.js'; // prettier-ignore

/** RGB24, row-major. */
export interface TurnedPicture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** Where a face is seen from, against its picture; signs as in core's HeadPose. Degrees. */
export interface Turn {
  readonly yawDeg: number;
  readonly pitchDeg: number;
}

/** The border of MediaPipe's mesh, in order around. */
const OVAL = [
  10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148,
  176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
];
const POINTS = 468;
const [FOREHEAD, CHIN, LEFT, RIGHT] = [10, 152, 234, 454];
/** Side of the square that is turned, over the face's own width and height; background lies at its rim. */
const REGION = 2.4;
/** A face larger than this is first made smaller: the aligned crop is far smaller still. */
const MOST_FACE_PX = 160;
/** The head behind the mesh's border, as multiples of half the face's width: outwards and back. */
const SIDE_OUT = 0.3;
const SIDE_BACK = 0.8;

interface Vertices {
  /** x, y where the picture shows the point. */
  readonly from: Float32Array;
  /** x, y, depth where the turned picture shows it; smaller depths are nearer. */
  readonly to: Float32Array;
}

/**
 * The face of a picture seen from another side (face profiling, Zhu et al. 2016, "Face alignment
 * across large poses", section 4): the measured mesh carries the picture's pixels, is turned about the head's own
 * upright axis, then about the line through its temples as the picture shows it, and drawn with a depth
 * buffer, so that what the turn hides is hidden. Around it lies a ring for the sides of the head, which
 * turns too, and the picture's background, which stays; skin that the picture shows foreshortened is
 * stretched. Sound for faces that look into the camera, up to about 60° of yaw and 25° of pitch.
 * @param landmarks 468 × 3 picture pixels, depth in the same scale, as in core's Face.
 * @param triangles three indices each.
 * @returns the face and its surroundings, a picture a turn.
 */
export function turnFace(
  picture: TurnedPicture,
  landmarks: Float32Array,
  triangles: readonly number[],
  turns: readonly Turn[],
): TurnedPicture[] {
  const { window, points } = windowAround(picture, landmarks);
  const all = [...triangles, ...ringTriangles()];
  return turns.map((turn) => draw(window, turned(points, window.width, turn), all));
}

/** The face and its surroundings, at most as fine as needed, with the points in it. */
function windowAround(picture: TurnedPicture, landmarks: Float32Array) {
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
  const points = Float32Array.from(
    landmarks.subarray(0, 3 * POINTS),
    (value, i) => (value - offset[i % 3]!) * scale,
  );
  return { window: { width: side, height: side, pixels }, points };
}

/** Mesh, the ring around it, and a rim that stays; before and after the turn. */
function turned(points: Float32Array, side: number, { yawDeg, pitchDeg }: Turn): Vertices {
  const at = (index: number): Vec3 => [points[3 * index]!, points[3 * index + 1]!, points[3 * index + 2]!]; // prettier-ignore
  const centre = scale(add(at(LEFT), at(RIGHT)), 0.5);
  const halfWidth = norm(subtract(at(LEFT), at(RIGHT))) / 2;
  const ring = OVAL.map((index): Vec3 => {
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
  const moved = moving.map((point) => add(centre, apply(turn, subtract(point, centre))));
  return {
    from: Float32Array.from([...moving, ...rim].flatMap(([x, y]) => [x, y])),
    to: Float32Array.from([...moved, ...rim].flat()),
  };
}

/** Between the oval and the ring, and between the ring and the rim. */
function ringTriangles(): number[] {
  const count = OVAL.length;
  const ring = OVAL.map((_, i) => POINTS + i);
  const rim = OVAL.map((_, i) => POINTS + count + i);
  const band = (inner: readonly number[], outer: readonly number[]): number[] =>
    inner.flatMap((a, i) => {
      const next = (i + 1) % count;
      return [a, inner[next]!, outer[i]!, outer[i]!, inner[next]!, outer[next]!];
    });
  return [...band(OVAL, ring), ...band(ring, rim)];
}

/** Depth-buffered; pixels that no triangle covers keep the picture's own. */
function draw(window: TurnedPicture, { from, to }: Vertices, triangles: readonly number[]): TurnedPicture {
  const { width, height } = window;
  const pixels = window.pixels.slice();
  const depths = new Float32Array(width * height).fill(Infinity);
  const sample = new Float64Array(3);
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = [triangles[t]!, triangles[t + 1]!, triangles[t + 2]!];
    const [ax, ay, bx, by, cx, cy] = [to[3 * a]!, to[3 * a + 1]!, to[3 * b]!, to[3 * b + 1]!, to[3 * c]!, to[3 * c + 1]!];
    const area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
    if (Math.abs(area) < 1e-6) continue;
    const last = [Math.min(width - 1, Math.ceil(Math.max(ax, bx, cx))), Math.min(height - 1, Math.ceil(Math.max(ay, by, cy)))] as const;
    for (let y = Math.max(0, Math.floor(Math.min(ay, by, cy))); y <= last[1]; y++) {
      for (let x = Math.max(0, Math.floor(Math.min(ax, bx, cx))); x <= last[0]; x++) {
        const [px, py] = [x + 0.5, y + 0.5];
        const wb = ((px - ax) * (cy - ay) - (py - ay) * (cx - ax)) / area;
        const wc = ((bx - ax) * (py - ay) - (by - ay) * (px - ax)) / area;
        const wa = 1 - wb - wc;
        if (wa < 0 || wb < 0 || wc < 0) continue;
        const depth = wa * to[3 * a + 2]! + wb * to[3 * b + 2]! + wc * to[3 * c + 2]!;
        const at = y * width + x;
        if (depth >= depths[at]!) continue;
        depths[at] = depth;
        const u = wa * from[2 * a]! + wb * from[2 * b]! + wc * from[2 * c]!;
        const v = wa * from[2 * a + 1]! + wb * from[2 * b + 1]! + wc * from[2 * c + 1]!;
        sample.fill(0);
        addSample(window, u, v, sample);
        for (let k = 0; k < 3; k++) pixels[3 * at + k] = sample[k]! + 0.5;
      }
    }
  }
  return { width, height, pixels };
} // prettier-ignore

/** Bilinear, a pixel's centre at +0.5; the border repeats. */
function addSample(
  { width, height, pixels }: TurnedPicture,
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
