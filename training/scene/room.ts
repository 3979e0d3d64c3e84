import type { CameraCalibration } from '../../calibration/rig.js';
import { undistort } from '../../calibration/projection.js';
import { apply, subtract, transpose, type Vec3 } from '../../core/geometry.js';
import { Random } from './random.js';
import { sample, type Texture } from './rasterise.js';

type Color = readonly [number, number, number];

/** Something flat on a wall, in the wall's own coordinates (metres). */
interface Panel {
  readonly wall: number;
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  readonly color: Color;
}

/** A box-shaped room around the world's origin, its floor at y = 0. */
export interface Room {
  /** Half width, height, half depth in metres. */
  readonly size: Vec3;
  /** −x, +x, floor, ceiling, −z, +z. */
  readonly walls: readonly Color[];
  readonly panels: readonly Panel[];
}

export function randomRoom(seed: string): Room {
  const random = new Random(seed);
  const size: Vec3 = [random.uniform(2.4, 3.4), 2.7, random.uniform(2.4, 3.2)];
  const tint = (value: number): Color => {
    const warm = random.uniform(-0.06, 0.1);
    return [value * (1 + warm), value, value * (1 - warm)];
  };
  const wall = tint(random.uniform(0.3, 0.5));
  const walls: Color[] = [
    wall,
    wall,
    tint(0.16),
    tint(0.62),
    tint(random.uniform(0.2, 0.45)),
    wall,
  ];
  const panels: Panel[] = [];
  for (const index of [0, 1, 4, 5]) {
    for (let i = 0; i < 4; i++) {
      const width = random.uniform(0.3, 1.1);
      const x = -2.2 + i * 1.2 + random.uniform(0, 0.5);
      const y = random.uniform(0.5, 1.7);
      const value = random.uniform(0.04, 0.5);
      const color: Color = [0, 1, 2].map(
        () => value * Math.exp(0.5 * random.normal()),
      ) as unknown as Color;
      panels.push({
        wall: index,
        from: [x, y],
        to: [x + width, y + random.uniform(0.3, 0.9)],
        color,
      });
    }
  }
  return { size, walls, panels };
}

/**
 * The empty room as a camera sees it, out of focus: rays at a quarter of the resolution, linear
 * RGB, spread over `width × height` samples.
 */
export function paintRoom(
  room: Room,
  camera: CameraCalibration,
  samplesPerPixel: number,
): Float32Array {
  const coarse = 4;
  const [columns, rows] = [
    Math.ceil(camera.width / coarse) + 1,
    Math.ceil(camera.height / coarse) + 1,
  ];
  const image: Texture = {
    width: columns,
    height: rows,
    data: new Float32Array(columns * rows * 3),
  };
  const back = transpose(camera.rotation);
  const eye = apply(back, subtract([0, 0, 0], camera.translation));
  const { fx, fy, cx, cy } = camera.matrix;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      // Four rays a cell: edges between wall and panel fall on no grid.
      for (const [du, dv] of [
        [-1, -1],
        [1, -1],
        [-1, 1],
        [1, 1],
      ] as const) {
        const seen = [(column * coarse + du - cx) / fx, (row * coarse + dv - cy) / fy] as const;
        const [x, y] = undistort(seen, camera.distortion);
        const color = hit(room, eye, apply(back, [x, y, 1]));
        for (let k = 0; k < 3; k++) image.data[3 * (row * columns + column) + k]! += color[k]! / 4;
      }
    }
  }
  const soft = blurred(image);
  const [width, height] = [camera.width * samplesPerPixel, camera.height * samplesPerPixel];
  const out = new Float32Array(width * height * 3);
  const rgb = new Float32Array(3);
  for (let y = 0, at = 0; y < height; y++) {
    const v = ((y + 0.5) / samplesPerPixel - 0.5) / coarse;
    for (let x = 0; x < width; x++, at += 3) {
      sample(soft, ((x + 0.5) / samplesPerPixel - 0.5) / coarse, v, rgb);
      out.set(rgb, at);
    }
  }
  return out;
}

/** Colour where a ray from inside meets the room. */
function hit({ size, walls, panels }: Room, from: Vec3, ray: Vec3): Color {
  const low: Vec3 = [-size[0], 0, -size[2]];
  const high: Vec3 = [size[0], size[1], size[2]];
  let nearest = Infinity;
  let wall = 0;
  for (const axis of [0, 1, 2] as const) {
    const along = ray[axis];
    if (along === 0) continue;
    const distance = ((along > 0 ? high[axis] : low[axis]) - from[axis]) / along;
    if (distance < nearest) [nearest, wall] = [distance, 2 * axis + (along > 0 ? 1 : 0)];
  }
  const [x, y, z] = [0, 1, 2].map((k) => from[k]! + nearest * ray[k]!) as unknown as Vec3;
  // Corners are darker: less of the room lights them.
  const corner = Math.min(
    1,
    0.72 + 0.5 * Math.min(size[0] - Math.abs(x) + size[2] - Math.abs(z), y + 0.2, 0.6),
  );
  const [u, v] = [wall < 2 ? z : x, y];
  const panel = panels.find(
    (p) => p.wall === wall && u > p.from[0] && u < p.to[0] && v > p.from[1] && v < p.to[1],
  );
  const color = panel?.color ?? walls[wall]!;
  return [color[0] * corner, color[1] * corner, color[2] * corner];
}

/** Three by three mean: what is far behind the people is out of focus. */
function blurred({ width, height, data }: Texture): Texture {
  const out = new Float32Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let k = 0; k < 3; k++) {
        let sum = 0;
        for (let j = -1; j <= 1; j++) {
          const row = Math.min(height - 1, Math.max(0, y + j)) * width;
          for (let i = -1; i <= 1; i++)
            sum += data[3 * (row + Math.min(width - 1, Math.max(0, x + i))) + k]!;
        }
        out[3 * (y * width + x) + k] = sum / 9;
      }
    }
  }
  return { width, height, data: out };
}
