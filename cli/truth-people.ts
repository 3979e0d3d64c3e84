import { z } from 'zod';
import { projectPoint, type RigCalibration } from '../calibration/index.js';
import type { Face } from '../core/types.js';

const recordSchema = z.object({
  people: z.array(
    z.object({
      id: z.string(),
      label: z.string(),
      strength: z.number(),
      head: z.object({ position: z.tuple([z.number(), z.number(), z.number()]) }),
    }),
  ),
});

/** Somebody at one instant of a recording that knows the truth. */
export type TruePerson = z.infer<typeof recordSchema>['people'][number];

export interface TrueInstant {
  readonly atMs: number;
  readonly people: readonly TruePerson[];
}

/** Between two expressions a face shows neither: weaker ones are not asked for. */
const LEAST_STRENGTH = 0.5;

/** By time; entries without people as `clmex synth` writes them are left out. */
export function trueInstants(
  truth: readonly { readonly atMs: number; readonly value: unknown }[],
): TrueInstant[] {
  return truth.flatMap(({ atMs, value }) => {
    const record = recordSchema.safeParse(value);
    return record.success ? [{ atMs, people: record.data.people }] : [];
  });
}

/** Index of what the person shows, or −1 where that is no label or too faint. */
export function labelOf({ label, strength }: TruePerson, labels: readonly string[]): number {
  return label !== 'neutral' && strength < LEAST_STRENGTH ? -1 : labels.indexOf(label);
}

/** Whose head is nearest to a face, within the face's own size. */
export function personOf(
  { cameraId, box }: Pick<Face, 'cameraId' | 'box'>,
  people: readonly TruePerson[],
  rig: RigCalibration,
): TruePerson | undefined {
  const camera = rig.cameras[cameraId];
  if (camera === undefined) return undefined;
  let best: { person: TruePerson; distance: number } | undefined;
  for (const person of people) {
    const at = projectPoint(camera, person.head.position);
    if (at === undefined) continue;
    const distance = Math.hypot(at[0] - box.x - box.width / 2, at[1] - box.y - box.height / 2);
    if (distance < (best?.distance ?? Math.max(box.width, box.height))) best = { person, distance };
  }
  return best?.person;
}
