/** Training: rendered scenes, data sets, pre-training, fine-tuning, evaluation, export. */
export { selectBackend } from '../encoder/backend/backend.js';
export { loadCheckpoint, type Checkpoint } from './checkpoint.js';
export { writeCurves } from './curves.js';
export { renderedGroups, type GroupSet } from './dataset/groups.js';
export { openRendered } from './dataset/rendered.js';
export { parseRecipe, type Recipe } from './recipe.js';
export { shareOfLabels } from './sampler.js';
export { train, type LogEntry, type TrainingData } from './trainer.js';
