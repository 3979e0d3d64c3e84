import { randomUUID } from 'node:crypto';
import { mkdir, rename } from 'node:fs/promises';
import { join, parse, resolve } from 'node:path';
import sharp from 'sharp';
import { ClmexError } from '../core/errors.js';
import type { StillFace } from '../runtime/faces/faces.js';
import type { Picture } from '../runtime/image.js';

/** Pictures with what was found in them drawn over, as PNG files in one folder. */
export class OverlayFolder {
  readonly #folder: string;
  readonly #edges: readonly (readonly [number, number])[];
  /** Lower-cased paths that are taken: some disks do not tell cases apart. */
  readonly #taken: Set<string>;

  private constructor(folder: string, triangles: readonly number[], kept: readonly string[]) {
    this.#folder = folder;
    this.#edges = edgesOf(triangles);
    this.#taken = new Set(kept.map((path) => resolve(path).toLowerCase()));
  }

  /**
   * @param triangles Corners of the mesh's triangles.
   * @param kept Pictures that no overlay may replace.
   * @throws ClmexError `invalid-argument` where the folder cannot be made.
   */
  static async open(
    folder: string,
    triangles: readonly number[],
    kept: readonly string[],
  ): Promise<OverlayFolder> {
    try {
      await mkdir(folder, { recursive: true });
    } catch (cause) {
      throw new ClmexError('invalid-argument', 'cannot make the folder', {
        field: '--overlay',
        value: folder,
        allowed: 'a folder that can be written to',
        cause,
      });
    }
    return new OverlayFolder(folder, triangles, kept);
  }

  /** @returns the file written. */
  async write(image: string, picture: Picture, faces: readonly StillFace[]): Promise<string> {
    const { width, height, pixels } = picture;
    const shapes = faces.map((face) => drawing(face, this.#edges)).join('');
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${shapes}</svg>`;
    const aside = join(this.#folder, `.tmp-${randomUUID()}.png`);
    await sharp(pixels, { raw: { width, height, channels: 3 }, limitInputPixels: false })
      .composite([{ input: Buffer.from(svg) }])
      .png()
      .toFile(aside);
    const path = this.#pathFor(image);
    await rename(aside, path);
    return path;
  }

  /** Two pictures of one name get different overlays, and no picture is replaced by its own. */
  #pathFor(image: string): string {
    const { name } = parse(image);
    const path = (suffix: string): string => join(this.#folder, `${name}${suffix}.png`);
    let candidate = path('');
    for (let i = 2; this.#taken.has(resolve(candidate).toLowerCase()); i++)
      candidate = path(`-${i}`);
    this.#taken.add(resolve(candidate).toLowerCase());
    return candidate;
  }
}

function edgesOf(triangles: readonly number[]): (readonly [number, number])[] {
  const edges = new Map<string, readonly [number, number]>();
  for (let i = 0; i < triangles.length; i++) {
    const next = i % 3 === 2 ? i - 2 : i + 1;
    const [a, b] = [triangles[i]!, triangles[next]!];
    const edge = [Math.min(a, b), Math.max(a, b)] as const;
    edges.set(edge.join(), edge);
  }
  return [...edges.values()];
}

function drawing(face: StillFace, edges: readonly (readonly [number, number])[]): string {
  const { x, y, width, height } = face.detection.box;
  const stroke = Math.max(1, width / 200);
  const at = (i: number): string =>
    `${face.landmarks[i * 3]!.toFixed(1)} ${face.landmarks[i * 3 + 1]!.toFixed(1)}`;
  const mesh = edges.map(([a, b]) => `M${at(a)}L${at(b)}`).join('');
  const keypoints = face.detection.keypoints.map(
    ([px, py]) => `<circle cx="${px}" cy="${py}" r="${3 * stroke}" fill="#ff4d6d"/>`,
  );
  return [
    `<path d="${mesh}" stroke="#3ddc97" stroke-opacity="0.8" stroke-width="${stroke / 2}" fill="none"/>`,
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" stroke="#ffd166" stroke-width="${2 * stroke}" fill="none"/>`,
    ...keypoints,
  ].join('');
}
