import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Face, Head, ViewGroup } from '../../../core/types.js';
import type { RigCalibration } from '../../../calibration/index.js';
import { ViewsStage } from '../../../runtime/views/views.js';
import { arc, faceOf, headAt, noise } from '../../support/heads.js';

const rig = arc([-60, -20, 20, 60]);
const cameraIds = Object.keys(rig.cameras);
const FRAME_MS = 66;

interface Scripted {
  readonly person: string;
  readonly head: Head;
  readonly size?: number;
}

/** What every camera sees of these people; track ids carry the person's name, so tests know whose it is. */
function view(
  people: readonly Scripted[],
  atMs: number,
  random: () => number,
  hide: (face: Face) => boolean = () => false,
): Face[] {
  return Object.entries(rig.cameras).flatMap(([id, camera]) =>
    people
      .map(({ person, head, size }) =>
        faceOf(id, camera, head, {
          trackId: `${person}-${id}`,
          capturedAtMs: atMs,
          random,
          headSize: size ?? 1,
        }),
      )
      .filter((face) => Math.abs(face.pose.yawDeg) < 85 && !hide(face)),
  );
}

const owner = (face: Face): string => face.trackId.split('-')[0]!;
const owners = (group: ViewGroup): string[] => [...new Set(group.faces.map(owner))];

function stage(calibration?: RigCalibration): ViewsStage {
  return new ViewsStage({ cameraIds, calibration, maxSubjects: 4, leftAfterMs: 1000 });
}

describe('gathering views of a calibrated rig', () => {
  it('gives each of two people one group with all their faces, and keeps their names', () => {
    const views = stage(rig);
    const random = noise(1);
    const names = new Map<string, Set<string>>();
    for (let i = 0; i < 60; i++) {
      const people = [
        { person: 'ada', head: headAt([-0.35, 0, 0.1], 10 * Math.sin(i / 9)), size: 1.08 },
        { person: 'bob', head: headAt([0.35, 0.05, -0.1], -15), size: 0.93 },
      ];
      const groups = views.push(view(people, i * FRAME_MS, random), i * FRAME_MS);
      if (i < 2) continue;
      expect(groups).toHaveLength(2);
      for (const group of groups) {
        expect(owners(group)).toHaveLength(1);
        expect(group.faces.length).toBeGreaterThanOrEqual(3);
        const who = owners(group)[0]!;
        names.set(who, (names.get(who) ?? new Set()).add(group.subjectId));
      }
    }
    expect([...names.values()].map((ids) => ids.size)).toEqual([1, 1]);
  });

  it('finds the head within a few centimetres of where it is', () => {
    const views = stage(rig);
    const random = noise(2);
    let groups: ViewGroup[] = [];
    for (let i = 0; i < 20; i++) {
      groups = views.push(view([{ person: 'ada', head: headAt([0.2, 0.1, 0.05]), size: 1.1 }], i * FRAME_MS, random), i * FRAME_MS); // prettier-ignore
    }
    const { position } = groups[0]!.head!;
    expect(Math.hypot(position[0] - 0.2, position[1] - 0.1, position[2] - 0.05)).toBeLessThan(0.05);
  });

  it('says who came and who left, once each', () => {
    const views = stage(rig);
    const random = noise(3);
    const changes = [];
    for (let i = 0; i < 60; i++) {
      const people = i < 20 ? [{ person: 'ada', head: headAt([0, 0, 0]) }] : [];
      views.push(view(people, i * FRAME_MS, random), i * FRAME_MS);
      changes.push(...views.takeChanges());
    }
    expect(changes.map(({ subjectId, state }) => `${subjectId} ${state}`)).toEqual([
      'person-1 appeared',
      'person-1 left',
    ]);
  });

  it('lets people leave even where no camera delivers any more', () => {
    const views = stage(rig);
    const random = noise(9);
    for (let i = 0; i < 5; i++) {
      const seen = view([{ person: 'ada', head: headAt([0, 0, 0]) }], i * FRAME_MS, random);
      views.push(seen, i * FRAME_MS);
    }
    views.takeChanges();
    views.expire(4 * FRAME_MS + 900);
    expect(views.takeChanges()).toEqual([]);
    views.expire(4 * FRAME_MS + 1100);
    expect(views.takeChanges()).toMatchObject([{ subjectId: 'person-1', state: 'left' }]);
  });

  it('does not believe in a face that only one camera saw for one set', () => {
    const views = stage(rig);
    const random = noise(4);
    for (let i = 0; i < 10; i++) {
      const people = i === 4 ? [{ person: 'ghost', head: headAt([0.3, 0, 0]) }] : [];
      const seen = view(people, i * FRAME_MS, random, ({ cameraId }) => cameraId !== 'cam-1');
      expect(views.push(seen, i * FRAME_MS)).toEqual([]);
    }
  });

  it('keeps a person who is hidden from all but one camera for a while', () => {
    const views = stage(rig);
    const random = noise(5);
    const ids = new Set<string>();
    for (let i = 0; i < 80; i++) {
      const hide = (face: Face): boolean => i % 30 > 15 && face.cameraId !== 'cam-2';
      const people = [{ person: 'ada', head: headAt([0.1, 0, 0.2 * Math.sin(i / 20)]) }];
      for (const { subjectId } of views.push(
        view(people, i * FRAME_MS, random, hide),
        i * FRAME_MS,
      ))
        ids.add(subjectId);
    }
    expect([...ids]).toEqual(['person-1']);
  });

  it('keeps two people apart while they pass each other', () => {
    const views = stage(rig);
    const random = noise(6);
    const names = new Map<string, Set<string>>();
    for (let i = 0; i < 90; i++) {
      const x = 0.5 - i / 90;
      const people = [
        { person: 'ada', head: headAt([x, 0, 0.25]) },
        { person: 'bob', head: headAt([-x, 0, -0.25]) },
      ];
      for (const group of views.push(view(people, i * FRAME_MS, random), i * FRAME_MS)) {
        expect(owners(group)).toHaveLength(1);
        names.set(
          owners(group)[0]!,
          (names.get(owners(group)[0]!) ?? new Set()).add(group.subjectId),
        );
      }
    }
    expect([...names.values()].map((ids) => ids.size)).toEqual([1, 1]);
  });

  it('never gives a group two faces of one camera nor a face to two groups', () => {
    const place = fc.record({
      x: fc.double({ min: -0.6, max: 0.6, noNaN: true }),
      z: fc.double({ min: -0.5, max: 0.5, noNaN: true }),
      yaw: fc.double({ min: -80, max: 80, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(place, { minLength: 0, maxLength: 4 }), fc.integer(), (places, seed) => {
        const views = stage(rig);
        const random = noise(seed);
        const people = places.map(({ x, z, yaw }, i) => ({
          person: `p${i}`,
          head: headAt([x, 0, z], yaw),
        }));
        for (let i = 0; i < 6; i++) {
          const groups = views.push(view(people, i * FRAME_MS, random), i * FRAME_MS);
          const faces = groups.flatMap((group) => group.faces);
          expect(new Set(faces).size).toBe(faces.length);
          for (const group of groups) {
            expect(new Set(group.faces.map(({ cameraId }) => cameraId)).size).toBe(
              group.faces.length,
            );
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('gathering views of an uncalibrated rig', () => {
  it('places the cameras by the heads they see and then keeps two people apart', () => {
    const views = stage();
    const random = noise(7);
    let right = 0;
    let sets = 0;
    for (let i = 0; i < 120; i++) {
      const people = [
        {
          person: 'ada',
          head: headAt([-0.35 + 0.1 * Math.sin(i / 14), 0, 0.1], 20 * Math.sin(i / 11)),
          size: 1.06,
        },
        {
          person: 'bob',
          head: headAt([0.35, 0.05, -0.1 + 0.1 * Math.cos(i / 17)], -15 * Math.cos(i / 8)),
          size: 0.95,
        },
      ];
      const groups = views.push(view(people, i * FRAME_MS, random), i * FRAME_MS);
      if (i < 40) continue;
      sets++;
      if (groups.length === 2 && groups.every((group) => owners(group).length === 1)) right++;
    }
    expect(right / sets).toBeGreaterThan(0.97);
  });

  it('gathers one person from the first sets on', () => {
    const views = stage();
    const random = noise(8);
    for (let i = 0; i < 20; i++) {
      const people = [{ person: 'ada', head: headAt([0.05, 0, 0.02 * i]) }];
      const seen = view(people, i * FRAME_MS, random);
      const groups = views.push(seen, i * FRAME_MS);
      if (i >= 3) expect(groups.map(({ faces }) => faces.length)).toEqual([seen.length]);
    }
    expect(views.takeChanges()).toHaveLength(1);
  });
});
