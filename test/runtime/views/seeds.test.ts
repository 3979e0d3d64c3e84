import { describe, expect, it } from 'vitest';
import { projectPoint } from '../../../calibration/index.js';
import type { Vec3 } from '../../../core/geometry.js';
import { seedsFor } from '../../../runtime/views/seeds.js';
import { arc, faceOf, headAt } from '../../support/heads.js';

const rig = arc([-40, 0, 40]);
const ids = Object.keys(rig.cameras);
const position: Vec3 = [0.1, 0.05, 0];

/** One person seen by these cameras. */
function groupSeenBy(cameraIds: readonly string[], yawDeg = 0) {
  const head = headAt(position, yawDeg);
  const faces = cameraIds.map((id) => faceOf(id, rig.cameras[id]!, head));
  return { subjectId: 'person-1', atMs: 0, faces, head };
}

describe('a head that two calibrated cameras see', () => {
  it('is looked for in the third, where that camera must show it', () => {
    const [seed, ...others] = seedsFor([groupSeenBy(['cam-0', 'cam-1'])], ids, rig);
    const [x, y] = projectPoint(rig.cameras['cam-2']!, position)!;
    expect(others).toEqual([]);
    expect(seed).toMatchObject({ cameraId: 'cam-2' });
    expect([seed!.x, seed!.y]).toEqual([x, y]);
    // 0.18 m at about 1.5 m through a focal length of 900 px.
    expect(seed!.sizePx).toBeGreaterThan(95);
    expect(seed!.sizePx).toBeLessThan(125);
    expect(seed!.rollDeg).toBeCloseTo(0, 6);
  });

  it('is not looked for where it is seen already, without calibration, or by one camera alone', () => {
    expect(seedsFor([groupSeenBy(ids)], ids, rig)).toEqual([]);
    expect(seedsFor([groupSeenBy(['cam-0', 'cam-1'])], ids, undefined)).toEqual([]);
    expect(seedsFor([groupSeenBy(['cam-0'])], ids, rig)).toEqual([]);
  });

  it('is not looked for from behind', () => {
    expect(seedsFor([groupSeenBy(['cam-0', 'cam-1'], -120)], ids, rig)).toEqual([]);
  });
});
