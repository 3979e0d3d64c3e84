/** One implementation of the contrastive objectives, for training and for adaptation. */
export { pairwiseNtXent, supConIn, supConOut, type ContrastiveOptions } from './losses.js';
export { unitRows } from './similarity.js';
export { collapseStatistics, type CollapseStatistics } from './statistics.js';
export { barlowTwins, viewFx, type ViewFxOptions } from './viewfx.js';
