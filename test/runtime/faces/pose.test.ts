import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { apply, rotationAngleDeg } from '../../../core/geometry.js';
import type { HeadPose } from '../../../core/types.js';
import { readFaceGeometry, type FaceGeometry } from '../../../runtime/faces/geometry.js';
import { anglesOf, assumedPinhole, fitPose, rotationOf } from '../../../runtime/faces/pose.js';
import { canonicalFace } from '../../support/canonical-face.js';

const angle = (most: number) => fc.double({ min: -most, max: most, noNaN: true });
const poses = fc.record({ yawDeg: angle(89), pitchDeg: angle(80), rollDeg: angle(175) });
const PINHOLE = { fx: 900, fy: 900, cx: 640, cy: 360 };
/** What the landmark model does to depth (see fitPose). */
const FLATTENING = 1.2;

describe('head angles', () => {
  const facing = (pose: Partial<HeadPose>) =>
    rotationOf({ yawDeg: 0, pitchDeg: 0, rollDeg: 0, ...pose });

  it('say where the nose points and the top leans, as core/types defines them', () => {
    const nose = (pose: Partial<HeadPose>) => apply(facing(pose), [0, 0, 1]);
    expect(nose({})[2]).toBeCloseTo(-1); // into the camera
    expect(nose({ yawDeg: 30 })[0]).toBeGreaterThan(0.4); // right side of the picture
    expect(nose({ pitchDeg: 30 })[1]).toBeLessThan(-0.4); // up
    expect(apply(facing({ rollDeg: 30 }), [0, 1, 0])[0]).toBeGreaterThan(0.4); // top leans right
  });

  it('come back from the rotation they make', () => {
    fc.assert(
      fc.property(poses, (pose) => {
        const back = anglesOf(rotationOf(pose));
        expect(back.yawDeg).toBeCloseTo(pose.yawDeg, 6);
        expect(back.pitchDeg).toBeCloseTo(pose.pitchDeg, 6);
        expect(back.rollDeg).toBeCloseTo(pose.rollDeg, 6);
      }),
    );
  });
});

describe('the metric face', () => {
  let geometry: FaceGeometry;
  beforeAll(async () => {
    geometry = await canonicalFace();
  });

  /** The canonical face seen from afar, with depth as flat as the model gives it. */
  const seen = (pose: HeadPose, x: number, y: number, pxPerMetre: number): Float32Array => {
    const rotation = rotationOf(pose);
    const landmarks = new Float32Array(geometry.points.length);
    for (let i = 0; i < landmarks.length; i += 3) {
      const [px, py, pz] = apply(rotation, [geometry.points[i]!, geometry.points[i + 1]!, geometry.points[i + 2]!]); // prettier-ignore
      landmarks.set([x + px * pxPerMetre, y + py * pxPerMetre, (pz * pxPerMetre) / FLATTENING], i);
    }
    return landmarks;
  };

  it('is found turned as it was seen, but for what landmark models do to turned heads', () => {
    const turned = fc.record({ yawDeg: angle(39), pitchDeg: angle(40), rollDeg: angle(175) });
    fc.assert(
      fc.property(turned, fc.double({ min: 100, max: 4000, noNaN: true }), (pose, scale) => {
        const fitted = fitPose(seen(pose, 640, 360, scale), geometry, PINHOLE)!;
        const { yawDeg, pitchDeg, rollDeg } = fitted.pose;
        expect(pitchDeg).toBeCloseTo(pose.pitchDeg, 2);
        // Yaw lags and roll leans more the further a head is turned, never less, to the same side.
        expect((yawDeg - pose.yawDeg) * Math.sign(pose.yawDeg)).toBeGreaterThan(-0.01);
        expect(Math.abs(yawDeg - pose.yawDeg)).toBeLessThan(Math.abs(pose.yawDeg) < 15 ? 0.01 : 5);
        expect(Math.abs(rollDeg - pose.rollDeg)).toBeLessThan(0.03 + 0.05 * Math.abs(pose.yawDeg));
        expect(Math.abs(fitted.eyeDistancePx / (scale * 0.063) - 1)).toBeLessThan(0.03);
      }),
    );
  });

  it('stands where its size and place in the picture say', () => {
    const frontal = { yawDeg: 0, pitchDeg: 0, rollDeg: 0 };
    const { head, pose } = fitPose(seen(frontal, 900, 200, 600), geometry, PINHOLE)!;
    // 600 px a metre at a focal length of 900 px is 1.5 m away, less what lies before the centre.
    expect(Math.hypot(...head.position)).toBeGreaterThan(1.4);
    expect(Math.hypot(...head.position)).toBeLessThan(1.8);
    expect(head.position[0] / head.position[2]).toBeCloseTo(260 / 900, 1);
    expect(head.position[1] / head.position[2]).toBeCloseTo(-160 / 900, 1);
    // The angles are about the line of sight, the rotation about the camera's axes.
    expect(pose.yawDeg).toBeCloseTo(0, 3);
    expect(rotationAngleDeg(head.rotation, rotationOf(frontal))).toBeGreaterThan(15);
  });

  it('has no pose where all points coincide', () => {
    expect(fitPose(new Float32Array(1404), geometry, assumedPinhole(640, 480))).toBeUndefined();
  });

  it('is refused where the file is cut off', () => {
    const bytes = new Uint8Array([10, 200, 1]);
    expect(() => readFaceGeometry(bytes)).toThrow(expect.objectContaining({ code: 'model-invalid' })); // prettier-ignore
    expect(() => readFaceGeometry(new Uint8Array())).toThrow(/does not fit the mesh/);
  });
});
