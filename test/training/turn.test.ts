import { describe, expect, it } from 'vitest';
import { turnFace } from '../../training/turn.js';
import type { Painted, RgbPicture } from '../../training/warp.js';

/** A dome of points over the picture's middle, the mesh's landmarks of its border among them. */
const [side, radius] = [120, 30];
const landmarks = Float32Array.from({ length: 468 * 3 }, (_, i) => {
  const point = Math.floor(i / 3);
  const [angle, out] = [point * 2.399963, radius * Math.sqrt(point / 468)];
  const [x, y] = [out * Math.cos(angle), out * Math.sin(angle)];
  return [side / 2 + x, side / 2 + y, -Math.sqrt(Math.max(0, radius ** 2 - out ** 2))][i % 3]!;
});
const put = (index: number, x: number, y: number): void =>
  landmarks.set([side / 2 + x, side / 2 + y, 0], 3 * index);
put(10, 0, -radius);
put(152, 0, radius);
put(234, -radius, 0);
put(454, radius, 0);
const all = Array.from({ length: 468 }, (_, i) => i);
/** Every point with two neighbours of the spiral: enough to cover the dome. */
const triangles = all.flatMap((i) => [8, 13, 21].flatMap((step) => [i, (i + step) % 468, (i + step + 8) % 468])); // prettier-ignore

const picture = (brightness: (x: number, y: number) => number) => ({
  width: side,
  height: side,
  pixels: Uint8Array.from({ length: side * side * 3 }, (_, i) => {
    const at = Math.floor(i / 3);
    return brightness(at % side, Math.floor(at / side));
  }),
});
const centroid = ({ width, pixels }: { width: number; pixels: Uint8Array }): [number, number] => {
  let [sum, x, y] = [0, 0, 0];
  for (let at = 0; at < pixels.length / 3; at++) {
    const weight = pixels[3 * at]!;
    [sum, x, y] = [sum + weight, x + weight * (at % width), y + weight * Math.floor(at / width)];
  }
  return [x / sum / width, y / sum / width];
};

describe('a face turned about its own axis', () => {
  const nose = picture((x, y) => (Math.hypot(x - side / 2, y - side / 2) < 6 ? 255 : 0));

  it('keeps its place without a turn', () => {
    const [same] = turnFace(nose, landmarks, triangles, [{ yawDeg: 0, pitchDeg: 0 }]);
    expect(centroid(same!)[0]).toBeCloseTo(0.5, 1);
    expect(centroid(same!)[1]).toBeCloseTo(0.5, 1);
  });

  it('takes its nose to the picture’s right by positive yaw, and back by negative', () => {
    const [right, left] = turnFace(nose, landmarks, triangles, [
      { yawDeg: 30, pitchDeg: 0 },
      { yawDeg: -30, pitchDeg: 0 },
    ]);
    expect(centroid(right!)[0]).toBeGreaterThan(0.55);
    expect(centroid(left!)[0]).toBeLessThan(0.45);
    expect(centroid(right!)[1]).toBeCloseTo(0.5, 1);
  });

  it('lifts its nose by positive pitch, and lowers it by negative', () => {
    const [up, down] = turnFace(nose, landmarks, triangles, [
      { yawDeg: 0, pitchDeg: 25 },
      { yawDeg: 0, pitchDeg: -25 },
    ]);
    expect(centroid(up!)[1]).toBeLessThan(0.45);
    expect(centroid(down!)[1]).toBeGreaterThan(0.55);
    expect(centroid(up!)[0]).toBeCloseTo(0.5, 1);
  });

  it('leaves the background where it is', () => {
    const frame = picture((x, y) => (Math.max(Math.abs(x - 60), Math.abs(y - 60)) > 56 ? 200 : 0));
    const [turned] = turnFace(frame, landmarks, triangles, [{ yawDeg: 45, pitchDeg: 20 }]);
    const { width, pixels } = turned!;
    expect(pixels[0]).toBeGreaterThan(150);
    expect(pixels[3 * (width * width - 1)]).toBeGreaterThan(150);
  });

  /** A square of twelve pixels over the face's middle, so far behind the picture's plane. */
  const square = (depth: number): Painted => ({
    positions: Float32Array.from([54, 54, depth, 66, 54, depth, 66, 66, depth, 54, 66, depth]),
    triangles: Uint32Array.of(0, 1, 2, 0, 2, 3),
    tone: 255,
  });
  const bright = ({ pixels }: RgbPicture): number =>
    pixels.filter((value) => value > 250).length / 3;
  const dark = picture(() => 40);
  const straight = { yawDeg: 0, pitchDeg: 0 };

  it('shows what is worn before it, and hides what is behind it', () => {
    const seen = (depth: number) => turnFace(dark, landmarks, triangles, [straight], square(depth))[0]!; // prettier-ignore
    const area = (12 * Math.min(1, 160 / (2 * radius))) ** 2;
    expect(bright(seen(-radius - 5))).toBeCloseTo(area, -2);
    expect(bright(seen(radius))).toBe(0);
    expect(bright(turnFace(dark, landmarks, triangles, [straight])[0]!)).toBe(0);
  });

  it('takes what is worn along', () => {
    const worn = square(-radius - 5);
    const [right, up] = turnFace(picture(() => 0), landmarks, triangles, [{ yawDeg: 30, pitchDeg: 0 }, { yawDeg: 0, pitchDeg: 25 }], worn); // prettier-ignore
    expect(centroid(right!)[0]).toBeGreaterThan(0.55);
    expect(centroid(up!)[1]).toBeLessThan(0.45);
  });
});
