import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ClmexError } from '../../core/errors.js';
import type { Engine, Session, TensorInfo } from '../engine/engine.js';
import { BlendshapeModel } from './blendshapes.js';
import { FULL_RANGE, SHORT_RANGE, type DetectorSpec } from './detection.js';
import { Detector } from './detector.js';
import { readFaceGeometry, type FaceGeometry } from './geometry.js';
import { Mesher } from './mesh.js';
import { loadTflite } from './model-cache.js';
import { readTaskFile } from './task-file.js';

export type Range = 'short' | 'full';

/** Everything the faces stage runs. Closing it closes the networks. */
export interface FaceModels {
  readonly detectors: Readonly<Partial<Record<Range, Detector>>>;
  readonly mesher: Mesher;
  readonly geometry: FaceGeometry;
  /** Where the landmark file offers them. */
  readonly blendshapes: BlendshapeModel | undefined;
  close(): Promise<void>;
}

export interface FaceModelOptions {
  readonly engine: Engine;
  readonly ranges: readonly Range[];
  /** Path of a face_landmarker.task; the 468-point mesh otherwise. */
  readonly landmarks?: string | undefined;
}

/** Byte ranges of files in face_mesh_solution_packed_assets.data, as the package's loader lists them. */
const PACKED = {
  mesh: [2_495_952, 3_737_848],
  geometry: [3_737_848, 3_757_224],
} as const;
const DETECTORS: Readonly<Record<Range, { file: string; spec: DetectorSpec }>> = {
  short: { file: 'face_detection_short_range.tflite', spec: SHORT_RANGE },
  full: { file: 'face_detection_full_range.tflite', spec: FULL_RANGE },
};

/**
 * @throws ClmexError `not-found` where a file is missing, `model-invalid` or `limit-exceeded` where
 *   one is wrong.
 */
export async function loadFaceModels(options: FaceModelOptions): Promise<FaceModels> {
  const open: { close(): Promise<void> }[] = [];
  const track = <T extends { close(): Promise<void> }>(model: T): T => {
    open.push(model);
    return model;
  };
  const close = async (): Promise<void> => {
    await Promise.all(open.map((model) => model.close()));
  };
  try {
    const detectors: Partial<Record<Range, Detector>> = {};
    for (const range of options.ranges)
      detectors[range] = track(await loadDetector(options.engine, range));
    const files =
      options.landmarks === undefined ? await packedFiles() : await taskFiles(options.landmarks);
    const mesher = track(await loadMesher(options.engine, files.mesh));
    const blendshapes =
      files.blendshapes &&
      track(
        new BlendshapeModel(await loadTflite(options.engine, files.blendshapes, 'blendshapes')),
      );
    return { detectors, mesher, blendshapes, geometry: readFaceGeometry(files.geometry), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The bytes of the models that come with the packages, for measurements. */
export async function packagedModels(): Promise<Readonly<Record<Range | 'mesh', Uint8Array>>> {
  const detector = (range: Range): Promise<Uint8Array> =>
    packageFile('face_detection', DETECTORS[range].file);
  const { mesh } = await packedFiles();
  return { short: await detector('short'), full: await detector('full'), mesh };
}

interface LandmarkFiles {
  readonly mesh: Uint8Array;
  readonly geometry: Uint8Array;
  readonly blendshapes: Uint8Array | undefined;
}

async function packedFiles(): Promise<LandmarkFiles> {
  const packed = await packageFile('face_mesh', 'face_mesh_solution_packed_assets.data');
  return {
    mesh: packed.slice(...PACKED.mesh),
    geometry: packed.slice(...PACKED.geometry),
    blendshapes: undefined,
  };
}

async function taskFiles(path: string): Promise<LandmarkFiles> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new ClmexError('not-found', 'cannot read the landmark model', {
      field: 'landmarks',
      value: path,
      allowed: "MediaPipe's face_landmarker.task, or nothing (mesh468) for the package's own",
      cause,
    });
  });
  const files = readTaskFile(bytes, path);
  const need = (name: string): Uint8Array => {
    const file = files.get(name);
    if (file === undefined)
      throw new ClmexError('model-invalid', `the .task file holds no ${name}`, {
        field: 'landmarks',
        value: path,
      });
    return file;
  };
  return {
    mesh: need('face_landmarks_detector.tflite'),
    geometry: need('geometry_pipeline_metadata_landmarks.binarypb'),
    blendshapes: files.get('face_blendshapes.tflite'),
  };
}

async function loadDetector(engine: Engine, range: Range): Promise<Detector> {
  const { file, spec } = DETECTORS[range];
  const bytes = await packageFile('face_detection', file);
  const session = await loadTflite(engine, bytes, `face detection, ${range} range`);
  const names = {
    input: session.inputs[0]!.name,
    regressors: output(session, ({ shape }) => shape.at(-1) === 16).name,
    logits: output(session, ({ shape }) => shape.at(-1) === 1).name,
  };
  return new Detector(session, spec, names);
}

async function loadMesher(engine: Engine, bytes: Uint8Array): Promise<Mesher> {
  const session = await loadTflite(engine, bytes, 'face landmarks');
  const { name: input, shape } = session.inputs[0]!;
  // [n, 1, 1, 3 × points] and the presence logit [n, 1, 1, 1]; other heads have fewer dimensions.
  const landmarks = output(session, ({ shape }) => [1404, 1434].includes(Number(shape.at(-1))));
  const presence = output(session, ({ shape }) => shape.length === 4 && shape.at(-1) === 1);
  return new Mesher(session, {
    input,
    landmarks: landmarks.name,
    presence: presence.name,
    side: Number(shape[1]),
    points: Number(landmarks.shape.at(-1)) / 3,
  });
}

function output(session: Session, fits: (info: TensorInfo) => boolean): TensorInfo {
  const found = session.outputs.find(fits);
  if (found === undefined)
    throw new ClmexError('model-invalid', 'the model has not the outputs of a face model', {
      value: session.outputs,
    });
  return found;
}

async function packageFile(name: string, file: string): Promise<Uint8Array> {
  const manifest = createRequire(import.meta.url).resolve(`@mediapipe/${name}/package.json`);
  const path = join(dirname(manifest), file);
  try {
    return await readFile(path);
  } catch (cause) {
    throw new ClmexError('not-found', 'a model of an installed package is missing', {
      field: `@mediapipe/${name}`,
      value: path,
      cause,
    });
  }
}
