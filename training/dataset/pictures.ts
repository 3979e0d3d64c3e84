import { readdir, readFile } from 'node:fs/promises';
import { basename, extname, join, relative, sep } from 'node:path';
import { ClmexError } from '../../core/errors.js';

/** One labelled picture of a data set on disk. */
export interface LabelledPicture {
  readonly path: string;
  readonly label: string;
  readonly personId: string;
  /** Pictures of one person and moment share it. */
  readonly groupId: string;
  /** Where the data set says it. */
  readonly yawDeg?: number | undefined;
}

/** What a reader found, and what it left out with the reason. */
export interface PictureList {
  readonly pictures: readonly LabelledPicture[];
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  /** What whoever reads the results must know. */
  readonly notes?: readonly string[] | undefined;
}

const NO_SUBJECTS =
  'the manifest has no subject column: every picture counts as a person of its own, so folds may share people';

const PICTURE = /\.(jpe?g|png|webp|bmp|tiff?)$/i;

/**
 * Folders `label/subject/group/view.jpg`; with fewer levels the missing ones are the picture itself:
 * `label/subject/view.jpg` and `label/view.jpg`.
 */
export async function readFolder(root: string): Promise<PictureList> {
  const paths = await picturesUnder(root);
  const skipped: { path: string; reason: string }[] = [];
  const pictures = paths.flatMap((path): LabelledPicture[] => {
    const parts = relative(root, path).split(sep);
    if (parts.length < 2 || parts.length > 4) {
      skipped.push({ path, reason: 'not in label/[subject/[group/]]view' });
      return [];
    }
    const own = parts.join('/');
    const [label, person = own, group = own] = parts.slice(0, -1) as [string, string?, string?];
    return [{ path, label, personId: person, groupId: `${label}/${person}/${group}` }];
  });
  return { pictures, skipped };
}

/**
 * A CSV with a header and the columns `path,label[,subject,group,yaw]`, paths below `root`. Without
 * subject every picture is its own person.
 * @throws ClmexError `invalid-file` naming the line.
 */
export async function readManifestCsv(file: string, root: string): Promise<PictureList> {
  const lines = (await readText(file)).split(/\r?\n/);
  const header = splitLine(lines[0] ?? '').map((name) => name.trim().toLowerCase());
  for (const needed of ['path', 'label']) {
    if (!header.includes(needed)) {
      throw new ClmexError('invalid-file', `has no column ${needed}`, {
        field: `${file}:1`,
        value: lines[0],
        allowed: 'path,label[,subject,group,yaw]',
      });
    }
  }
  const pictures = lines.slice(1).flatMap((line, i): LabelledPicture[] => {
    if (line.trim() === '') return [];
    const cells = splitLine(line);
    const cell = (name: string): string => cells[header.indexOf(name)]?.trim() ?? '';
    const [path, label, yaw] = [cell('path'), cell('label'), cell('yaw')];
    if (path === '' || label === '' || Number.isNaN(Number(yaw))) {
      throw new ClmexError(
        'invalid-file',
        'a row without path or label, or with a yaw that is no number',
        {
          field: `${file}:${i + 2}`,
          value: line,
        },
      );
    }
    const personId = cell('subject') || path;
    const groupId = cell('group') === '' ? path : `${personId}/${cell('group')}`;
    return [
      {
        path: join(root, path),
        label,
        personId,
        groupId,
        yawDeg: yaw === '' ? undefined : Number(yaw),
      },
    ];
  });
  return { pictures, skipped: [], notes: header.includes('subject') ? [] : [NO_SUBJECTS] };
}

/** RFC 4180 quoting within one line. */
function splitLine(line: string): string[] {
  const cells = line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g);
  return [...cells].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '');
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new ClmexError('not-found', 'cannot be read', { field: 'manifest', value: file, cause });
  }
}

export async function picturesUnder(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(
    (cause: unknown) => {
      throw new ClmexError('not-found', 'cannot read the folder', {
        field: 'data',
        value: root,
        cause,
      });
    },
  );
  return entries
    .filter((entry) => entry.isFile() && PICTURE.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

export const stem = (path: string): string => basename(path, extname(path));
