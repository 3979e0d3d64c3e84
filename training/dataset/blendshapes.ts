import type { GroupSet, LabelledGroup } from './groups.js';

/** What a model sees in landmarks: coefficients of 0 to 1 by ARKit's names. */
export type ReadBlendshapes = (
  landmarks: Float32Array,
) => Promise<Readonly<Record<string, number>>>;

/** Coefficients that hardly vary are noise: standard deviations count as this much at least. */
const LEAST_DEVIATION = 0.02;

/**
 * The set with what `read` sees in every view's landmarks beside them, and what it sees in the most
 * frontal view of a group beside the group: a model that has learned from real faces then teaches what a
 * movement is, whoever makes it (distillation, Hinton et al. 2015, arXiv 1503.02531), and from where it
 * is seen best what a view from the side should see. Both sides of the face count as one, so that mirror images agree; square
 * roots, as most coefficients lie near 0; standardised over these groups.
 * @param indices the groups that will be read; others have none.
 */
export async function withBlendshapes(
  set: GroupSet,
  indices: readonly number[],
  read: ReadBlendshapes,
  onProgress?: (done: number, of: number) => void,
): Promise<GroupSet> {
  const seen = new Map<number, Float32Array[]>();
  for (const [done, index] of indices.entries()) {
    onProgress?.(done, indices.length);
    const views = [];
    for (const { landmarks } of set.read(index).views) views.push(bothSides(await read(landmarks)));
    seen.set(index, views);
  }
  standardise([...seen.values()].flat());
  return {
    ...set,
    read: (index) => {
      const group = set.read(index);
      const known = seen.get(index);
      if (known === undefined) return group;
      return {
        ...group,
        frontal: known[mostFrontal(group.views)],
        views: group.views.map((view, v) => ({ ...view, blendshapes: known[v] })),
      };
    },
  };
}

function mostFrontal(views: LabelledGroup['views']): number {
  const yaws = views.map(({ yawDeg }) => Math.abs(yawDeg));
  return yaws.indexOf(Math.min(...yaws));
}

/** Square roots of the means of left and right; without gaze and the share of a neutral face. */
function bothSides(coefficients: Readonly<Record<string, number>>): Float32Array {
  const sides = new Map<string, number[]>();
  for (const [name, value] of Object.entries(coefficients)) {
    if (name === '_neutral' || name.startsWith('eyeLook')) continue;
    const movement = name.replace(/(Left|Right)$/, '');
    sides.set(movement, [...(sides.get(movement) ?? []), value]);
  }
  return Float32Array.from([...sides.values()], (values) =>
    Math.sqrt(Math.max(0, values.reduce((sum, value) => sum + value, 0) / values.length)),
  );
}

function standardise(rows: readonly Float32Array[]): void {
  const width = rows[0]?.length ?? 0;
  for (let i = 0; i < width; i++) {
    const mean = rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length;
    const variance = rows.reduce((sum, row) => sum + (row[i]! - mean) ** 2, 0) / rows.length;
    const deviation = Math.max(LEAST_DEVIATION, Math.sqrt(variance));
    for (const row of rows) row[i] = (row[i]! - mean) / deviation;
  }
}
