import { readdir } from 'node:fs/promises';
import type { FusionView } from '../encoder/fusion.js';
import {
  isDdcf, isKdef, readDdcf, readFolder, readKdef, readManifestCsv,
  type LabelledPicture, type PictureList, type Turn,
} from '../training/index.js'; // prettier-ignore
import { FaceCache, type FoundFace, type PictureFaceFinder } from './face-cache.js';
import { progress } from './output.js';
import { readRecordingGroups } from './recording-groups.js';

/** Where labelled pictures come from: a manifest with its root, or one folder or recording. */
export interface PictureSource {
  readonly manifest?: string | undefined;
  readonly root: string;
  readonly data?: string | undefined;
}

/** A view of a labelled moment; without a crop no face was found. */
export interface ReadView extends FusionView {
  readonly crop?: Uint8Array | undefined;
  /** N × 3 in pixels of the picture; there with the crop. */
  readonly landmarks?: Float32Array | undefined;
  /** Of the picture that shows it; none of a recording's frame or of a turned picture. */
  readonly path?: string | undefined;
  /** Where the data states it. */
  readonly trueYawDeg?: number | undefined;
}

export interface ReadGroup {
  readonly personId: string;
  readonly label: number;
  readonly views: readonly ReadView[];
}

export interface Skipped {
  readonly path: string;
  readonly reason: string;
}

export interface ReadOptions {
  readonly labels: readonly string[];
  readonly finder: PictureFaceFinder;
  /** Keeps what was found in pictures. */
  readonly cache?: string | undefined;
  /** Single pictures of faces that look into the camera become groups: turned by these too. */
  readonly turns?: readonly Turn[] | undefined;
}

/** A face further aside than this is not turned: too much of it is hidden. */
const MOST_YAW_TO_TURN_DEG = 25;
const PROGRESS_EVERY = 32;

/**
 * Labelled moments of any source, with the faces found in them. What cannot be used is listed with
 * the reason and left out; a picture without a face stays, as a view that was not found.
 */
export async function readGroups(
  source: PictureSource,
  options: ReadOptions,
): Promise<{ groups: ReadGroup[]; skipped: Skipped[]; notes: readonly string[] }> {
  if (source.data?.endsWith('.mcap') === true) {
    return { ...(await readRecordingGroups(source.data, options.labels)), notes: [] };
  }
  const list = await listOf(source);
  const skipped: Skipped[] = [...list.skipped];
  const known = list.pictures.filter(({ path, label }) => {
    if (options.labels.includes(label)) return true;
    skipped.push({ path, reason: `label '${label}' is none of ${options.labels.join(', ')}` });
    return false;
  });
  const groups = grouped(known);
  const faces = new FaceCache(options.finder, options.cache);
  const read: ReadGroup[] = [];
  let done = 0;
  for (const pictures of groups.values()) {
    const views = await viewsOf(pictures, faces, options.turns ?? [], skipped);
    const { personId, label } = pictures[0]!;
    read.push({ personId, label: options.labels.indexOf(label), views });
    const before = done;
    done += pictures.length;
    if (Math.floor(done / PROGRESS_EVERY) > Math.floor(before / PROGRESS_EVERY)) {
      progress(`${done} of ${known.length} pictures`);
    }
  }
  return { groups: read, skipped, notes: list.notes ?? [] };
}

function grouped(pictures: readonly LabelledPicture[]): Map<string, LabelledPicture[]> {
  const groups = new Map<string, LabelledPicture[]>();
  for (const picture of pictures) {
    const key = `${picture.label} ${picture.groupId}`;
    const group = groups.get(key);
    if (group) group.push(picture);
    else groups.set(key, [picture]);
  }
  return groups;
}

async function viewsOf(
  pictures: readonly LabelledPicture[],
  faces: FaceCache,
  turns: readonly Turn[],
  skipped: Skipped[],
): Promise<ReadView[]> {
  const views: ReadView[] = [];
  for (const { path, yawDeg } of pictures) {
    const made = pictures.length === 1 ? turns : [];
    const [face, ...turned] = (await faces.find(path, made)) as [FoundFace, ...FoundFace[]];
    const { reason, ...view } = face;
    if (reason !== undefined) skipped.push({ path, reason });
    const same = view.crop && views.find((other) => other.crop && equal(other.crop, view.crop!));
    if (same) {
      skipped.push({ path, reason: 'is the same picture as another of its group' });
      continue;
    }
    views.push({ ...view, path, trueYawDeg: yawDeg });
    if (Math.abs(view.yawDeg) > MOST_YAW_TO_TURN_DEG) continue;
    views.push(...turned.filter(({ crop }) => crop !== undefined));
  }
  return views;
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

async function listOf({ data, manifest, root }: PictureSource): Promise<PictureList> {
  if (data === undefined) return readManifestCsv(manifest!, root);
  const names = await readdir(data, { recursive: true }).catch(() => []);
  if (isKdef(names)) return readKdef(data);
  return isDdcf(names) ? readDdcf(data) : readFolder(data);
}
