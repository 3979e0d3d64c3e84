import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { projectPoint } from '../../../calibration/projection.js';
import { add, apply, IDENTITY3, rotationFromVector, type Vec3 } from '../../../core/geometry.js';
import { headInCamera, placeCamera, projectVertices } from '../../../training/scene/camera.js';
import { poseOf } from '../../../training/scene/truth.js';

const camera = placeCamera({
  position: [0.4, 1.5, 1.6],
  target: [0, 1.25, 0],
  width: 640,
  height: 480,
  horizontalFieldDeg: 50,
  distortion: [-0.1, 0.02, 0.001, -0.001, 0],
  rollDeg: 3,
});

describe('the cameras of a scene', () => {
  it('project vertices exactly as the calibration says they do', () => {
    const place = {
      rotation: rotationFromVector([0.2, -0.5, 0.1]),
      position: [0.1, 1.2, 0] as Vec3,
    };
    fc.assert(
      fc.property(fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: -120, max: 120 }))), (mm) => {
        const vertex = mm.map((value) => value / 10) as unknown as Vec3; // centimetres
        const [x, y, inverseDepth] = projectVertices(
          camera,
          place,
          Float32Array.from(vertex),
          0.01,
          2,
        );
        const metres = vertex.map((value) => value / 100) as unknown as Vec3;
        const world = add(apply(place.rotation, metres), place.position);
        const [u, v] = projectPoint(camera, world)!;
        expect(inverseDepth).toBeGreaterThan(0);
        // Two samples a pixel; a pixel's centre is half a pixel from its border.
        expect(x! / 2 - 0.5).toBeCloseTo(u, 2);
        expect(y! / 2 - 0.5).toBeCloseTo(v, 2);
      }),
    );
  });

  it('look at their target, up in the world being up in the picture', () => {
    const level = placeCamera({
      position: [1, 1, 2],
      target: [0, 1.2, 0],
      width: 200,
      height: 100,
      horizontalFieldDeg: 40,
    });
    const [u, v] = projectPoint(level, [0, 1.2, 0])!;
    expect(u).toBeCloseTo(99.5);
    expect(v).toBeCloseTo(49.5);
    expect(projectPoint(level, [0, 1.3, 0])![1]).toBeLessThan(v);
  });
});

describe('the pose of a head', () => {
  const at = (yawRad: number, pitchRad: number, rollRad: number, position: Vec3) => {
    // A head at the origin that looks along world +z, before a camera on that axis.
    const front = placeCamera({
      position: [0, 0, 2],
      target: [0, 0, 0],
      width: 100,
      height: 100,
      horizontalFieldDeg: 30,
    });
    const turns = [
      rotationFromVector([0, yawRad, 0]),
      rotationFromVector([-pitchRad, 0, 0]),
      rotationFromVector([0, 0, rollRad]),
    ];
    const column = (axis: Vec3): Vec3 => turns.reduceRight((v, turn) => apply(turn, v), axis);
    const [x, y, z] = [column([1, 0, 0]), column([0, 1, 0]), column([0, 0, 1])];
    const rotation = [x[0], y[0], z[0], x[1], y[1], z[1], x[2], y[2], z[2]] as const;
    return poseOf(headInCamera(front, { rotation, position }));
  };

  it('is zero where the face looks into the camera', () => {
    const { yawDeg, pitchDeg, rollDeg } = at(0, 0, 0, [0, 0, 0]);
    expect([yawDeg, pitchDeg, rollDeg].map(Math.abs).every((angle) => angle < 1e-6)).toBe(true);
  });

  it('is positive to the right of the picture, up, and clockwise', () => {
    // Turned towards the world's +x, which is the picture's right.
    expect(at(0.5, 0, 0, [0, 0, 0]).yawDeg).toBeCloseTo(28.65, 1);
    expect(at(0, 0.3, 0, [0, 0, 0]).pitchDeg).toBeCloseTo(17.19, 1);
    // Counter-clockwise about +z, which points at the camera, leans the top to the picture's left.
    expect(at(0, 0, -0.2, [0, 0, 0]).rollDeg).toBeCloseTo(11.46, 1);
  });

  it('counts from the line of sight: a face that looks ahead beside the axis is seen from the side', () => {
    expect(at(0, 0, 0, [0.5, 0, 0]).yawDeg).toBeCloseTo((Math.atan2(0.5, 2) * 180) / Math.PI, 3);
    expect(IDENTITY3).toHaveLength(9);
  });
});
