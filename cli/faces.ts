import { mkdir, readFile } from 'node:fs/promises';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { ClmexError } from '../core/errors.js';
import { createEngine } from '../runtime/engine/engine.js';
import { FaceStage, type StillFace } from '../runtime/faces/faces.js';
import type { DetectorChoice } from '../runtime/faces/finder.js';
import { decodePicture, type Picture } from '../runtime/image.js';
import { OverlayFolder } from './faces-overlay.js';
import { printResult, progress } from './output.js';

interface Options {
  readonly json: boolean;
  readonly detector: DetectorChoice;
  readonly landmarks: string;
  readonly maxFaces: number;
  readonly threads: number;
  readonly overlay?: string;
}

/** What the package's own landmark model is called on the command line. */
const OWN_MESH = 'mesh468';

/** `clmex faces`: the faces of single pictures. */
export function register(program: Command): void {
  program
    .command('faces')
    .description('Find the faces in pictures: boxes, landmarks, head pose.')
    .argument('<image...>', 'pictures of any common format; EXIF orientation is respected')
    .addOption(
      new Option('--detector <range>', 'range of the detector')
        .choices(['short', 'full', 'auto'])
        .default('auto'),
    )
    .option('--landmarks <model>', `${OWN_MESH}, or a face_landmarker.task file`, OWN_MESH)
    .option('--max-faces <n>', 'faces a picture at most', positive, 10)
    .option('--threads <n>', 'threads of the engine', positive, 1)
    .option('--overlay <dir>', 'write the pictures there with boxes and meshes drawn')
    .option(
      '--json',
      'print one JSON document: a list, one entry a picture; each face also carries its quality, 0 to 1',
      false,
    )
    .action(run);
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('A whole number from 1 on is needed.');
  return value;
}

interface PictureReport {
  readonly image: string;
  readonly width: number;
  readonly height: number;
  readonly faces: readonly FaceReport[];
}

type FaceReport = ReturnType<typeof reportOf>;

async function run(images: readonly string[], options: Options): Promise<void> {
  const { detector, maxFaces, threads, landmarks, overlay } = options;
  if (overlay !== undefined) await mkdir(overlay, { recursive: true });
  const engine = await createEngine({ kind: 'onnxruntime', threads });
  const stage = await FaceStage.create({
    engine,
    detector,
    maxFaces,
    landmarks: landmarks === OWN_MESH ? undefined : landmarks,
  });
  try {
    const folder =
      overlay === undefined ? undefined : new OverlayFolder(overlay, stage.canonical.triangles);
    const reports: PictureReport[] = [];
    for (const image of images) {
      const picture = await decodePicture(await read(image), image);
      const faces = await stage.still({ cameraId: image, capturedAtMs: 0, ...picture });
      await folder?.write(image, picture, faces);
      reports.push(pictureReport(image, picture, faces));
      if (images.length > 1) progress(`${reports.length} of ${images.length}: ${image}`);
    }
    printResult(options.json, reports, () => text(reports));
  } finally {
    await stage.close();
  }
}

async function read(image: string): Promise<Uint8Array> {
  try {
    return await readFile(image);
  } catch (cause) {
    throw new ClmexError('not-found', 'cannot read the picture', {
      field: 'image',
      value: image,
      cause,
    });
  }
}

function pictureReport(
  image: string,
  { width, height }: Picture,
  faces: readonly StillFace[],
): PictureReport {
  return { image, width, height, faces: faces.map(reportOf) };
}

function reportOf(face: StillFace) {
  const { landmarks, pose, quality, blendshapes, detection } = face;
  const points = Array.from({ length: landmarks.length / 3 }, (_, i) =>
    Array.from(landmarks.subarray(3 * i, 3 * i + 3)),
  );
  const { score, box, keypoints } = detection;
  return {
    score,
    box,
    keypoints,
    landmarks: points,
    pose,
    quality,
    ...(blendshapes === undefined ? {} : { blendshapes }),
  };
}

function text(reports: readonly PictureReport[]): string {
  return reports.flatMap(({ image, width, height, faces }) => [
    `${image} (${width} × ${height}): ${faces.length === 0 ? 'no face' : `${faces.length} face${faces.length > 1 ? 's' : ''}`}`,
    ...faces.map(line),
  ]).join('\n'); // prettier-ignore
}

function line({ score, box, pose, quality }: FaceReport): string {
  const at = [box.x, box.y, box.width, box.height].map(Math.round).join(' ');
  const { yawDeg, pitchDeg, rollDeg } = pose;
  const angles = `yaw ${yawDeg.toFixed(0)}° pitch ${pitchDeg.toFixed(0)}° roll ${rollDeg.toFixed(0)}°`;
  return `  score ${score.toFixed(2)}  box ${at}  ${angles}  quality ${quality.toFixed(2)}`;
}
