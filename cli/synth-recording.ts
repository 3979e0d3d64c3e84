import { rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { RecordingWriter } from '../runtime/recording/index.js';
import { SPLITS, type Split } from '../training/dataset/shard.js';
import { cameraName, castScene, type SceneSpec } from '../training/scene/cast.js';
import { frameTimes, NO_FAULTS, randomFaults, type FrameTimes } from '../training/scene/faults.js';
import { Studio } from '../training/scene/people.js';
import { encode, type Sensor } from '../training/scene/picture.js';
import { Random } from '../training/scene/random.js';
import { SceneRenderer } from '../training/scene/scene.js';
import { TRUTH_SCHEMA, truthRecord } from '../training/scene/truth-record.js';
import { printResult, progress } from './output.js';
import { dataFolder, wholeNumber } from './synth-options.js';

interface Options {
  readonly out: string;
  readonly data?: string;
  readonly subjects: number;
  readonly people?: readonly string[];
  readonly split: Split;
  readonly cameras: readonly number[];
  readonly seconds: number;
  readonly fps: number;
  readonly width: number;
  readonly height: number;
  readonly quality: number;
  readonly seed: number;
  readonly faults: boolean;
  readonly json: boolean;
}

/** `clmex synth recording`: people around whom cameras with faulty clocks stand, with the truth. */
export function registerRecording(synth: Command): void {
  synth
    .command('recording')
    .description(
      'Render a recording: people who show every expression, cameras with faulty clocks.',
    )
    .requiredOption(
      '--out <file>',
      'the recording, .mcap; its calibration goes beside it, .calibration.json',
    )
    .option(
      '--data <dir>',
      'holds ict-facekit/, london/, makehuman-hair/ (default: $CLMEX_DATA, else ../shared/data)',
    )
    .option('--subjects <n>', 'people, 1 to 4', between(1, 4), 2)
    .option('--people <ids>', 'who: portrait-variant by commas, instead of a number', personIds)
    .option('--split <name>', `whose skins: ${SPLITS.join(', ')}`, splitName, 'test')
    .option('--cameras <degrees>', 'angles around the people, 2 to 8', angles, [-60, -20, 20, 60])
    .option('--seconds <n>', 'length', between(1, 600), 9)
    .option('--fps <n>', 'frames a second', between(1, 60), 15)
    .option('--width <px>', 'of the pictures', between(160, 1920), 640)
    .option('--height <px>', 'of the pictures', between(120, 1080), 480)
    .option('--quality <n>', 'JPEG quality', between(30, 95), 60)
    .option('--seed <n>', 'fixes everything random', wholeNumber(0), 1)
    .option('--no-faults', 'perfect clocks and cables')
    .option('--json', 'print one JSON document', false)
    .action(run);
}

interface Planned extends FrameTimes {
  readonly cameraId: string;
  readonly index: number;
}

const START_MS = 1_000;

async function run(options: Options): Promise<void> {
  const spec: SceneSpec = {
    people: options.people ?? options.subjects,
    split: options.split,
    cameraAnglesDeg: options.cameras,
    width: options.width,
    height: options.height,
    lengthS: options.seconds,
    seed: options.seed,
  };
  const studio = await Studio.open(dataFolder(options.data));
  const scene = await castScene(studio, spec);
  const rigPath = options.out.replace(/(\.mcap)?$/, '.calibration.json');
  const aside = join(dirname(options.out), `.tmp-${basename(options.out)}`);
  const people = scene.people.map(({ person }) => person.id);
  await rm(aside, { force: true });
  const writer = await RecordingWriter.create(aside, {
    rig: scene.rig,
    notes: { attribution: ATTRIBUTION, people: people.join(' '), seed: String(options.seed) },
    truthSchema: TRUTH_SCHEMA,
  });
  let frames: number;
  try {
    await film(options, new SceneRenderer(studio, scene), writer);
    frames = writer.frames;
    await writer.close();
  } catch (error) {
    await writer.close().catch(() => undefined);
    await rm(aside, { force: true });
    throw error;
  }
  await writeFile(`${rigPath}.tmp`, `${JSON.stringify(scene.rig, null, 2)}\n`);
  await rename(`${rigPath}.tmp`, rigPath);
  await rename(aside, options.out);
  printResult(
    options.json,
    { out: options.out, rig: rigPath, people, frames },
    () => `${String(frames)} frames of ${people.join(' and ')}: ${options.out}`,
  );
}

const ATTRIBUTION =
  'Skin: Face Research Lab London Set, DeBruine & Jones 2017, CC-BY 4.0, ' +
  'figshare 10.6084/m9.figshare.5047666.v5, projected and altered. ' +
  'Head: ICT-FaceKit, (c) 2020 USC Institute for Creative Technologies, MIT. ' +
  'Hair: MakeHuman, CC0.';

async function film(
  options: Options,
  renderer: SceneRenderer,
  writer: RecordingWriter,
): Promise<void> {
  const { seed, fps, seconds, quality } = options;
  const frames = options.cameras
    .flatMap((_, i) => {
      const name = `${String(seed)} camera ${String(i)}`;
      const faults = options.faults ? randomFaults(name, fps) : NO_FAULTS;
      return frameTimes(faults, START_MS, seconds * 1000, fps, name).map((times): Planned => ({
        ...times,
        cameraId: cameraName(i),
        index: i,
      }));
    })
    .sort((a, b) => a.arrivedAtMs - b.arrivedAtMs);
  const truths = Array.from({ length: Math.ceil(seconds * fps) }, (_, i) => (i * 1000) / fps);
  const random = new Random(`noise ${String(seed)}`);
  for (const [done, frame] of frames.entries()) {
    while (truths[0] !== undefined && START_MS + truths[0] <= frame.arrivedAtMs) {
      const atMs = truths.shift()!;
      await writer.writeTruth(START_MS + atMs, truthRecord(renderer.peopleAt(atMs / 1000)));
    }
    const sensor = sensorOf(frame.index, quality);
    const timeS = (frame.trueCapturedAtMs - START_MS) / 1000;
    const picture = renderer.renderFrame(frame.cameraId, timeS, sensor, random);
    const jpeg = await encode(picture.pixels, options.width, options.height, sensor);
    await writer.writeFrame({
      cameraId: frame.cameraId,
      sequence: frame.sequence,
      stampMs: frame.stampMs,
      arrivedAtMs: frame.arrivedAtMs,
      trueCapturedAtMs: frame.trueCapturedAtMs,
      stampSource: 'device',
      width: options.width,
      height: options.height,
      jpeg,
    });
    if (done % 20 === 0) progress(`${String(done)} of ${String(frames.length)} frames`);
  }
}

/** Cameras differ a little in exposure and white balance. */
function sensorOf(index: number, jpegQuality: number): Sensor {
  const lean = [0, 0.04, -0.05, 0.02, -0.03, 0.05, -0.02, 0.01][index % 8]!;
  return {
    exposure: 1 + 2 * lean,
    balance: [1 + lean, 1, 1 - lean],
    blurPx: 0,
    noise: 0.8,
    jpegQuality,
  };
}

function between(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(
        `Allowed: a whole number from ${String(least)} to ${String(most)}.`,
      );
    }
    return value;
  };
}

function personIds(text: string): string[] {
  const ids = text.split(',');
  if (ids.length > 4 || !ids.every((id) => /^[\w]+-\d+$/.test(id))) {
    throw new InvalidArgumentError('Allowed: one to four ids such as 013-2, by commas.');
  }
  return ids;
}

function splitName(text: string): Split {
  const split = SPLITS.find((name) => name === text);
  if (split === undefined) throw new InvalidArgumentError(`Allowed: ${SPLITS.join(', ')}.`);
  return split;
}

function angles(text: string): number[] {
  const values = text.split(',').map(Number);
  if (values.length < 2 || values.length > 8 || values.some((value) => !(Math.abs(value) <= 90))) {
    throw new InvalidArgumentError('Allowed: 2 to 8 angles from -90 to 90, by commas.');
  }
  return values;
}
