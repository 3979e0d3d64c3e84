import { Option } from 'commander';
import { ClmexError } from '../core/errors.js';
import { readMeshShapes, type MeshShapes } from '../training/index.js';
import { integer } from './output.js';
import { dataFolder } from './synth-options.js';

/** For commander, of every command that lifts faces. */
export const MESHES_OPTION = [
  '--meshes <dir>',
  'holds ict-facekit/, whose shapes --lift moves faces by; default CLMEX_DATA, else ../shared/data',
] as const;

/** For commander, of every command that lifts faces. @param unless percent where it is not given. */
export const glassesOption = (unless: number): Option =>
  new Option(
    '--glasses <percent>',
    `of the faces that --lift makes wear rendered glasses (default: ${unless})`,
  ).argParser(integer('glasses', 0, 100));

/**
 * @param lift pictures a face and expression. @param given values of options that say how lifted faces
 * look, by name.
 * @throws ClmexError `invalid-argument` for any of them where no face is lifted.
 */
export function requireLifting(lift: number, given: Readonly<Record<string, unknown>>): void {
  if (lift > 0) return;
  for (const [field, value] of Object.entries(given)) {
    if (value === undefined) continue;
    throw new ClmexError('invalid-argument', 'says how lifted faces look', {
      field,
      value,
      allowed: 'together with --lift N',
    });
  }
}

/** Shapes by which --lift moves faces. @param meshes the value of --meshes. */
export function openMeshShapes(meshes: string | undefined): Promise<MeshShapes> {
  return readMeshShapes(dataFolder(meshes)).catch((error: unknown) => {
    throw error instanceof ClmexError ? error.of('--meshes') : error;
  });
}
