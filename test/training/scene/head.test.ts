import { beforeAll, expect, it } from 'vitest';
import { IDENTITY3 } from '../../../core/geometry.js';
import { unfold } from '../../../training/scene/brow-fold.js';
import { SKIN_VERTICES } from '../../../training/scene/head-model.js';
import { lightHead } from '../../../training/scene/head.js';
import { randomEnvironment } from '../../../training/scene/light.js';
import { meshPoint } from '../../../training/scene/mesh468.js';
import { Studio } from '../../../training/scene/people.js';
import type { Person } from '../../../training/scene/person.js';
import { Random } from '../../../training/scene/random.js';
import { express, type ShapeWeights } from '../../../training/scene/shape.js';
import { describeWithData, sharedData } from '../../support/shared-data.js';

/** Vertices of the teeth, from ICT-FaceKit's table of parts. */
const TEETH: readonly [number, number] = [17_039, 21_451];
/** Mesh points on the brow bone under each brow, on a cheek and on the lips. */
const [RIGHT, LEFT, CHEEK, LIP] = [223, 443, 50, 0];

describeWithData('a head that moves', () => {
  let studio: Studio;
  let person: Person;
  beforeAll(async () => {
    studio = await Studio.open(sharedData());
    person = await studio.person(studio.portraits('train')[0]!, 0);
  });

  const shown = (shapes: ShapeWeights): Float32Array => {
    const { blend, head } = person;
    return unfold(studio.model, blend, head, express(studio.model, head, shapes));
  };
  /** How far the photo shows at the vertices next to a mesh point, the least of them. */
  const shownAt = (point: number, blend: Float32Array): number => {
    const [x, y, z] = meshPoint(person.head, point);
    const near = Array.from(blend, (value, v) => {
      const [px, py, pz] = person.head.subarray(3 * v, 3 * v + 3);
      return Math.hypot(px! - x, py! - y, pz! - z) < 0.3 ? value : 1;
    });
    return Math.min(...near);
  };
  const raised = (...sides: string[]): ShapeWeights =>
    Object.fromEntries(
      sides.flatMap((side) => [
        [`browInnerUp_${side}`, 1],
        [`browOuterUp_${side}`, 1],
      ]),
    );

  it('shows its photo at rest and with lowered brows', () => {
    expect(shown({})).toEqual(person.blend);
    expect(shown({ browDown_L: 2, browDown_R: 2 })).toEqual(person.blend);
  });

  it('shows skin that the photo does not under raised brows, and the photo elsewhere', () => {
    const blend = shown(raised('L', 'R'));
    for (const point of [LEFT, RIGHT]) {
      expect(shownAt(point, person.blend)).toBeGreaterThan(0.4);
      expect(shownAt(point, blend)).toBeLessThan(0.05);
    }
    for (const point of [CHEEK, LIP])
      expect(shownAt(point, blend)).toBe(shownAt(point, person.blend));
  });

  it('does so on the side whose brow is raised', () => {
    const blend = shown(raised('L'));
    expect(shownAt(LEFT, blend)).toBeLessThan(0.05);
    expect(shownAt(RIGHT, blend)).toBe(shownAt(RIGHT, person.blend));
  });

  it.each(['noseSneer', 'mouthUpperUp', 'mouthLowerDown', 'jawOpen'])(
    'lets light on the teeth where lips part: %s',
    (shape) => {
      const environment = randomEnvironment(new Random('teeth'));
      const brightness = (shapes: ShapeWeights): number => {
        const bearing = { shapes, rotation: IDENTITY3, neck: IDENTITY3 };
        const { light } = lightHead(studio.model, studio.visibility, person, bearing, environment);
        return light.subarray(3 * TEETH[0], 3 * TEETH[1]).reduce((sum, value) => sum + value, 0);
      };
      expect(brightness({})).toBe(0);
      expect(brightness({ [shape]: 1, [`${shape}_L`]: 1, [`${shape}_R`]: 1 })).toBeGreaterThan(100);
    },
  );

  it('lifts a fringe with the brows, which would pierce it', async () => {
    const fringed = await studio.person(studio.portraits('train')[8]!, 4);
    const environment = randomEnvironment(new Random('fringe'));
    const pierced = (shapes: ShapeWeights): number => {
      const bearing = { shapes, rotation: IDENTITY3, neck: IDENTITY3 };
      const lit = lightHead(studio.model, studio.visibility, fringed, bearing, environment);
      const skin = verticesOf(lit.positions.subarray(0, 3 * SKIN_VERTICES)).filter(onForehead);
      const hair = verticesOf(lit.hair!.positions).filter(onForehead);
      expect(hair.length).toBeGreaterThan(50);
      return hair.filter(([x, y, z]) =>
        skin.some(([u, v, w]) => Math.hypot(u - x, v - y) < 0.2 && w > z),
      ).length;
    };
    const up = { browInnerUp_L: 2.2, browInnerUp_R: 2.2, browOuterUp_L: 2, browOuterUp_R: 2 };
    // Of the hair's vertices before the forehead 15 more would lie behind it, were it stiff.
    expect(pierced(up)).toBeLessThanOrEqual(pierced({}) + 3);
  });
});

const verticesOf = (positions: Float32Array): [number, number, number][] =>
  Array.from({ length: positions.length / 3 }, (_, v) => {
    const [x, y, z] = positions.subarray(3 * v, 3 * v + 3);
    return [x!, y!, z!];
  });
const onForehead = ([x, y, z]: readonly [number, number, number]): boolean =>
  Math.abs(x) < 5 && y > 5.5 && y < 9 && z > 7;
