/** Everything that runs the encoder. Training parts (contrastive, formats/tfjs) are imported by file. */
export type { CropSpec } from './crop.js';
export type { FusionView, Head } from './fusion.js';
export type { Graph } from './graph.js';
export type { Network } from './archive.js';
export type { Manifest } from './manifest.js';
export { withPrior, type FuseOptions, type FusedScores, type Model } from './model.js';
export { ROWS_PER_VIEW } from './view.js';
export { addVariants, loadModel, saveModel, type ModelDescription } from './package.js';
