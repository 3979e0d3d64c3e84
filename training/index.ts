/** Training: rendered scenes, data sets, pre-training, fine-tuning, evaluation, export. */
export { selectBackend } from '../encoder/backend/backend.js';
export { fitTemperatures } from './calibrate.js';
export { loadCheckpoint, type Checkpoint } from './checkpoint.js';
export { writeCurves } from './curves.js';
export { withBlendshapes, type ReadBlendshapes } from './dataset/blendshapes.js';
export {
  joinGroups,
  listedGroups,
  renderedGroups,
  type GroupSet,
  type LabelledGroup,
  type LabelledView,
} from './dataset/groups.js';
export { isDdcf, readDdcf } from './dataset/ddcf.js';
export { isKdef, readKdef } from './dataset/kdef.js';
export {
  readFolder,
  readManifestCsv,
  type LabelledPicture,
  type PictureList,
} from './dataset/pictures.js';
export {
  expressionMoves,
  liftExpressions,
  type ExpressionMove,
  type LiftedFace,
  type NeutralFace,
} from './dataset/lifted.js';
export { readMeshShapes, type MeshShapes } from './scene/mesh-shapes.js';
export { openRendered, type RenderedSet } from './dataset/rendered.js';
export { isRendered } from './dataset/rendered-folder.js';
export type { Split } from './dataset/shard.js';
export { evaluate, type EvaluatedGroup, type EvaluatedView, type Evaluation } from './evaluate.js';
export { mapEmbeddings } from './embedding-map.js';
export { exportModel, networkOf } from './export.js';
export { probeGroups } from './probe-groups.js';
export type { FoldProtocol } from './probe.js';
export { parseRecipe, recipeJsonSchema, type Recipe } from './recipe.js';
export { shareOfLabels } from './sampler.js';
export { statisticsOf, trainingStatistics, withStatistics } from './statistics.js';
export { turnFace, type Turn } from './turn.js';
export { sideBySide, type Column } from './columns.js';
export { train, type LogEntry, type TrainingData } from './trainer.js';
