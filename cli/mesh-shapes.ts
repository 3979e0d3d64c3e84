import { ClmexError } from '../core/errors.js';
import { readMeshShapes, type MeshShapes } from '../training/index.js';
import { dataFolder } from './synth-options.js';

/** Shapes by which --lift moves faces. @param meshes the value of --meshes. */
export function openMeshShapes(meshes: string | undefined): Promise<MeshShapes> {
  return readMeshShapes(dataFolder(meshes)).catch((error: unknown) => {
    throw error instanceof ClmexError ? error.of('--meshes') : error;
  });
}
