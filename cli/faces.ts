import { readFile, stat } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import { ClmexError } from '../core/errors.js';
import { createEngine } from '../runtime/engine/engine.js';
import { FaceStage, type StillFace } from '../runtime/faces/faces.js';
import type { DetectorChoice } from '../runtime/faces/finder.js';
import { decodePicture } from '../runtime/image.js';
import { OverlayFolder } from './faces-overlay.js';
import { integer, printResult, progress, reportFailure } from './output.js';

interface Options {
  readonly json: boolean;
  readonly detector: DetectorChoice;
  readonly landmarks: string;
  readonly maxFaces: number;
  readonly threads: number;
  readonly thorough: boolean;
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
    .option('--max-faces <n>', 'faces a picture at most', integer('--max-faces', 1, 1000), 10)
    .option(
      '--thorough',
      'look at every picture turned by quarters and in parts as well, for faces on their side and small ones beside large ones',
      false,
    )
    .option('--threads <n>', 'threads of the engine', integer('--threads', 1, 64), 1)
    .option(
      '--overlay <dir>',
      'write the pictures there as PNG with boxes and meshes drawn; earlier ones of these names are replaced',
    )
    .option(
      '--json',
      'print one JSON document: a list, one entry a picture (docs/faces.md has its fields)',
      false,
    )
    .action(run);
}

interface PictureReport {
  readonly image: string;
  readonly width: number;
  readonly height: number;
  readonly faces: readonly FaceReport[];
  /** There are more than `--max-faces`. */
  readonly more?: true;
  /** The file that shows them. */
  readonly overlay?: string;
}

/** A picture that cannot be used; the others are looked at all the same. */
interface FailedReport {
  readonly image: string;
  readonly error: { readonly code: string; readonly message: string };
}

type Report = PictureReport | FailedReport;
type FaceReport = ReturnType<typeof reportOf>;

async function run(images: readonly string[], options: Options): Promise<void> {
  const { detector, maxFaces, threads, landmarks, overlay } = options;
  const engine = await createEngine({ kind: 'onnxruntime', threads });
  const stage = await FaceStage.create({
    engine,
    detector,
    // One more, to know whether there are more.
    maxFaces: maxFaces + 1,
    landmarks: landmarks === OWN_MESH ? undefined : landmarks,
  });
  try {
    const folder =
      overlay === undefined
        ? undefined
        : await OverlayFolder.open(overlay, stage.canonical.triangles, images);
    const reports: Report[] = [];
    for (const image of images) {
      reports.push(await reportOn(image, stage, options, folder).catch(failed(image)));
      if (images.length > 1) progress(`${reports.length} of ${images.length}: ${image}`);
    }
    printResult(options.json, reports, () => text(reports));
    if (reports.some((report) => 'error' in report)) process.exitCode = 1;
  } finally {
    await stage.close();
  }
}

async function reportOn(
  image: string,
  stage: FaceStage,
  { maxFaces, thorough: everything }: Options,
  folder: OverlayFolder | undefined,
): Promise<PictureReport> {
  const picture = await decodePicture(await read(image), image);
  const frame = { cameraId: image, capturedAtMs: 0, ...picture };
  const found = await stage.still(frame, { everything });
  const faces = found.slice(0, maxFaces);
  const { width, height } = picture;
  const drawn = await folder?.write(image, picture, faces);
  return {
    image,
    width,
    height,
    faces: faces.map(reportOf),
    ...(found.length > maxFaces ? { more: true } : {}),
    ...(drawn === undefined ? {} : { overlay: drawn }),
  };
}

/** Codes of what is wrong with a picture; other failures would befall every one. */
const UNUSABLE = new Set<string>(['not-found', 'invalid-file', 'limit-exceeded']);

/** What becomes of a picture that cannot be used. */
function failed(image: string): (error: unknown) => FailedReport {
  return (error) => {
    if (!(error instanceof ClmexError && UNUSABLE.has(error.code))) throw error;
    reportFailure(error);
    return { image, error: { code: error.code, message: error.message } };
  };
}

async function read(image: string): Promise<Uint8Array> {
  try {
    return await readFile(image);
  } catch (cause) {
    const folder = await stat(image).then((stats) => stats.isDirectory(), () => false); // prettier-ignore
    const reason = folder ? 'is a folder, not a picture' : 'cannot read the picture';
    throw new ClmexError('not-found', reason, { field: 'image', value: image, cause });
  }
}

/** Digits that mean something: a hundredth of what the models can tell. */
const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;

function reportOf({ landmarks, pose, quality, blendshapes, detection }: StillFace) {
  const { score, box, keypoints } = detection;
  const { yawDeg, pitchDeg, rollDeg } = pose;
  return {
    score: rounded(score),
    box: {
      x: rounded(box.x),
      y: rounded(box.y),
      width: rounded(box.width),
      height: rounded(box.height),
    },
    keypoints: keypoints.map((point) => point.map(rounded)),
    landmarks: Array.from({ length: landmarks.length / 3 }, (_, i) =>
      Array.from(landmarks.subarray(3 * i, 3 * i + 3), rounded),
    ),
    pose: { yawDeg: rounded(yawDeg), pitchDeg: rounded(pitchDeg), rollDeg: rounded(rollDeg) },
    quality: rounded(quality),
    ...(blendshapes === undefined
      ? {}
      : {
          blendshapes: Object.fromEntries(
            Object.entries(blendshapes).map(([name, value]) => [name, rounded(value)]),
          ),
        }),
  };
}

function text(reports: readonly Report[]): string {
  return reports.flatMap((report) => {
    if ('error' in report) return [`${report.image}: cannot be used`];
    const { image, width, height, faces, more, overlay } = report;
    const count = faces.length === 0 ? 'no face' : `${faces.length} face${faces.length > 1 ? 's' : ''}`;
    const notes = `${more ? ', and more than --max-faces allows' : ''}${overlay === undefined ? '' : `, drawn in ${overlay}`}`;
    return [`${image} (${width} × ${height}): ${count}${notes}`, ...faces.map(line)];
  }).join('\n'); // prettier-ignore
}

function line({ score, box, pose, quality }: FaceReport): string {
  const at = [box.x, box.y, box.width, box.height].map(Math.round).join(' ');
  const { yawDeg, pitchDeg, rollDeg } = pose;
  const angles = `yaw ${yawDeg.toFixed(0)}° pitch ${pitchDeg.toFixed(0)}° roll ${rollDeg.toFixed(0)}°`;
  return `  score ${score.toFixed(2)}  box ${at}  ${angles}  quality ${quality.toFixed(2)}`;
}
