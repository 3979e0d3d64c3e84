import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Face } from '../core/types.js';
import type { FramePixels } from '../runtime/inference/inference.js';
import { decodePicture, type Picture } from '../runtime/image.js';
import { turnFace, type Turn } from '../training/index.js';

/** The face of one picture, or why there is none. */
export interface FoundFace {
  readonly crop?: Uint8Array | undefined;
  /** N × 3 in pixels of the picture; there with the crop. */
  readonly landmarks?: Float32Array | undefined;
  readonly yawDeg: number;
  readonly pitchDeg: number;
  readonly rollDeg: number;
  readonly quality: number;
  /** Set where the picture could not be used at all. */
  readonly reason?: string | undefined;
}

interface Stored extends Omit<FoundFace, 'crop' | 'landmarks'> {
  readonly version: number;
  readonly crop?: string;
  readonly landmarks?: number[];
}

const NOTHING: FoundFace = { yawDeg: 0, pitchDeg: 0, rollDeg: 0, quality: 0 };
/** Mean grey level below which a picture is black, as some of KDEF's are. */
const BLACK = 4;
const VERSION = 3;

/** Finds the best face of single pictures. */
export class PictureFaceFinder {
  /** Three indices each of the mesh that is found. */
  readonly triangles: readonly number[];
  readonly #find: (frame: FramePixels) => Promise<Face | undefined>;
  #pictures = 0;

  constructor(
    find: (frame: FramePixels) => Promise<Face | undefined>,
    triangles: readonly number[],
  ) {
    this.#find = find;
    this.triangles = triangles;
  }

  find({ width, height, pixels }: Picture): Promise<Face | undefined> {
    // A camera of its own a picture: nothing may be followed from one to the next.
    const cameraId = `picture-${this.#pictures++}`;
    return this.#find({ cameraId, capturedAtMs: 0, width, height, pixels });
  }
}

/** Finds and aligns the face of a picture once; with a directory, also over runs. */
export class FaceCache {
  readonly #finder: PictureFaceFinder;
  readonly #directory: string | undefined;

  constructor(finder: PictureFaceFinder, directory?: string) {
    this.#finder = finder;
    this.#directory = directory;
  }

  /**
   * The face as the picture shows it, then turned by each of these; see turnFace. Never throws
   * for a bad picture: `reason` says what is wrong with it, and there is one answer only.
   */
  async find(path: string, turns: readonly Turn[] = []): Promise<FoundFace[]> {
    const bytes = await readFile(path).catch(() => undefined);
    if (bytes === undefined) return [{ ...NOTHING, reason: 'cannot be read' }];
    const hash = createHash('sha256').update(bytes).digest('hex');
    const keys = [hash, ...turns.map(({ yawDeg, pitchDeg }) => `${hash}-yaw${yawDeg}-pitch${pitchDeg}`)]; // prettier-ignore
    const cached = await Promise.all(keys.map((key) => this.#load(key)));
    if (cached.every((face) => face !== undefined)) return cached;
    const found = await this.#measure(bytes, path, turns);
    if (found[0]!.reason === undefined) {
      await Promise.all(found.map((face, i) => this.#save(keys[i]!, face)));
    }
    return found;
  }

  async #measure(bytes: Uint8Array, path: string, turns: readonly Turn[]): Promise<FoundFace[]> {
    const picture = await decodePicture(bytes, path).catch(() => undefined);
    if (picture === undefined) return [{ ...NOTHING, reason: 'is no picture that can be decoded' }];
    if (meanOf(picture.pixels) < BLACK) return [{ ...NOTHING, reason: 'is black' }];
    const face = await this.#finder.find(picture);
    if (face === undefined) return [NOTHING, ...turns.map(() => NOTHING)];
    const found = [describe(face)];
    for (const view of turnFace(picture, face.landmarks, this.#finder.triangles, turns)) {
      const seen = await this.#finder.find(view);
      found.push(seen ? describe(seen) : NOTHING);
    }
    return found;
  }

  async #load(key: string): Promise<FoundFace | undefined> {
    if (this.#directory === undefined) return undefined;
    const text = await readFile(join(this.#directory, `${key}.json`), 'utf8').catch(
      () => undefined,
    );
    if (text === undefined) return undefined;
    const { version, crop, landmarks, ...face } = JSON.parse(text) as Stored;
    if (version !== VERSION) return undefined;
    if (crop === undefined || landmarks === undefined) return face;
    return {
      ...face,
      crop: new Uint8Array(Buffer.from(crop, 'base64')),
      landmarks: Float32Array.from(landmarks),
    };
  }

  async #save(key: string, face: FoundFace): Promise<void> {
    if (this.#directory === undefined) return;
    await mkdir(this.#directory, { recursive: true });
    const crop = face.crop && Buffer.from(face.crop).toString('base64');
    const landmarks =
      face.landmarks && [...face.landmarks].map((value) => Math.round(value * 100) / 100);
    const aside = join(this.#directory, `.tmp-${process.pid}-${key}`);
    await writeFile(aside, JSON.stringify({ version: VERSION, ...face, crop, landmarks }));
    await rename(aside, join(this.#directory, `${key}.json`));
  }
}

const describe = (face: Face): FoundFace => ({
  crop: face.crop,
  landmarks: face.landmarks,
  ...face.pose,
  quality: face.quality,
});

/** Of every 97th byte: enough to tell a black picture. */
function meanOf(pixels: Uint8Array): number {
  let [sum, count] = [0, 0];
  for (let i = 0; i < pixels.length; i += 97) {
    sum += pixels[i]!;
    count++;
  }
  return sum / Math.max(1, count);
}
