import { ClmexError } from '../core/errors.js';
import { readMeshShapes, type MeshShapes } from '../training/index.js';
import { integer } from './output.js';
import { dataFolder } from './synth-options.js';

/** For commander, of every command that lifts faces. */
export const MESHES_OPTION = [
  '--meshes <dir>',
  'holds ict-facekit/, whose shapes --lift moves faces by; default CLMEX_DATA, else ../shared/data',
] as const;

/** For commander, of every command that lifts faces. */
export const GLASSES_OPTION = [
  '--glasses <percent>',
  'of the faces that --lift makes wear rendered glasses',
  integer('glasses', 0, 100),
] as const;

/** Shapes by which --lift moves faces. @param meshes the value of --meshes. */
export function openMeshShapes(meshes: string | undefined): Promise<MeshShapes> {
  return readMeshShapes(dataFolder(meshes)).catch((error: unknown) => {
    throw error instanceof ClmexError ? error.of('--meshes') : error;
  });
}
