import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isDdcf, readDdcf } from '../../../training/dataset/ddcf.js';
import { isKdef, readKdef } from '../../../training/dataset/kdef.js';
import { readFolder, readManifestCsv } from '../../../training/dataset/pictures.js';

describe('readers of pictures', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'clmex-read-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  const put = async (...names: string[]): Promise<void> => {
    for (const name of names) {
      await mkdir(dirname(join(root, name)), { recursive: true });
      await writeFile(join(root, name), '');
    }
  };

  it('know KDEF’s names, sessions, people and angles', async () => {
    await put('AF01/AF01ANFL.JPG', 'AF01/AF01ANS.JPG', 'BM07/BM07SUHR.JPG', 'AF01/readme.txt');
    const { pictures, skipped } = await readKdef(root);
    expect(pictures.map(({ path, ...rest }) => ({ file: relative(root, path), ...rest }))).toEqual([
      {
        file: 'AF01/AF01ANFL.JPG',
        label: 'anger',
        personId: 'F01',
        groupId: 'AF01AN',
        yawDeg: -90,
      },
      { file: 'AF01/AF01ANS.JPG', label: 'anger', personId: 'F01', groupId: 'AF01AN', yawDeg: 0 },
      {
        file: 'BM07/BM07SUHR.JPG',
        label: 'surprise',
        personId: 'M07',
        groupId: 'BM07SU',
        yawDeg: 45,
      },
    ]);
    expect(skipped).toEqual([]);
  });

  it('mend KDEF’s two misnamed pictures and list what is none of its', async () => {
    await put('AF31/AF31V.JPG', 'AM31/AM31H.JPG', 'AM31/holiday.jpg');
    const { pictures, skipped } = await readKdef(root);
    expect(pictures.map(({ label, yawDeg, personId }) => [personId, label, yawDeg])).toEqual([
      ['F31', 'sadness', -45],
      ['M31', 'surprise', 45],
    ]);
    expect(skipped).toEqual([{ path: join(root, 'AM31/holiday.jpg'), reason: 'not a KDEF name' }]);
    expect(isKdef(['AF01ANFL.JPG', 'x/BM07SUHR.JPG', 'cover.jpg'])).toBe(true);
    expect(isKdef(['anger/1.jpg'])).toBe(false);
  });

  it('know DDCF’s names, and keep an angle in unknown words as a view of unknown yaw', async () => {
    await put(
      'S27_9yoM_Neutral_front_1040.JPG',
      'S27_9yoM_Neutral_left_30_1041.JPG',
      'S27_9yoM_Neutral_60R_1042.JPG',
      'S27_9yoM_Neutral_threequarter_1043.JPG',
      'S08_12yoF_Content_front_0007.JPG',
      'S08_12yoF_Afraid_front_dim_0012.JPG',
      'notes.jpg',
    );
    const { pictures, skipped } = await readDdcf(root);
    const rows = pictures.map(({ label, personId, groupId, yawDeg }) => [
      personId,
      label,
      groupId,
      yawDeg,
    ]);
    expect(rows).toEqual([
      ['S08', 'fear', 'S08/fear/dim', 0],
      ['S08', 'content', 'S08/content/', 0],
      ['S27', 'neutral', 'S27/neutral/', 60],
      ['S27', 'neutral', 'S27/neutral/', 0],
      ['S27', 'neutral', 'S27/neutral/', -30],
      ['S27', 'neutral', 'S27/neutral/', undefined],
    ]);
    expect(skipped).toEqual([{ path: join(root, 'notes.jpg'), reason: 'not a DDCF name' }]);
    expect(isDdcf(['S27_9yoM_Neutral_front_1040.JPG', 'readme.txt'])).toBe(true);
    expect(isDdcf(['AF01ANFL.JPG'])).toBe(false);
  });

  it('read folders of one to three levels, and keep a person’s pictures together', async () => {
    await put(
      'anger/ann/t1/left.png',
      'anger/ann/t1/right.png',
      'fear/bob/1.jpg',
      'fear/loose.jpg',
      'stray.jpg',
      'a/b/c/d/e.jpg',
    );
    const { pictures, skipped } = await readFolder(root);
    const byPath = Object.fromEntries(pictures.map((one) => [relative(root, one.path), one]));
    expect(byPath['anger/ann/t1/left.png']).toMatchObject({ label: 'anger', personId: 'ann' });
    expect(byPath['anger/ann/t1/left.png']!.groupId).toBe(
      byPath['anger/ann/t1/right.png']!.groupId,
    );
    expect(byPath['fear/bob/1.jpg']).toMatchObject({ label: 'fear', personId: 'bob' });
    expect(byPath['fear/loose.jpg']).toMatchObject({ label: 'fear', personId: 'fear/loose.jpg' });
    expect(skipped.map(({ path }) => relative(root, path)).sort()).toEqual([
      'a/b/c/d/e.jpg',
      'stray.jpg',
    ]);
  });

  it('read manifests with quotes, optional columns and Windows line ends', async () => {
    const file = join(root, 'm.csv');
    await writeFile(
      file,
      'path,label,subject,group,yaw\r\n"a, ""b"".jpg",anger,ann,t1,-30\r\nc.jpg,fear,,,\r\n\r\n',
    );
    const { pictures } = await readManifestCsv(file, '/data');
    expect(pictures).toEqual([
      { path: '/data/a, "b".jpg', label: 'anger', personId: 'ann', groupId: 'ann/t1', yawDeg: -30 },
      {
        path: '/data/c.jpg',
        label: 'fear',
        personId: 'c.jpg',
        groupId: 'c.jpg',
        yawDeg: undefined,
      },
    ]);
  });

  it('name the line of a manifest that is wrong', async () => {
    const file = join(root, 'm.csv');
    await writeFile(file, 'path,label,yaw\na.jpg,anger,left\n');
    await expect(readManifestCsv(file, root)).rejects.toMatchObject({
      code: 'invalid-file',
      field: `${file}:2`,
    });
    await writeFile(file, 'file,label\na.jpg,anger\n');
    await expect(readManifestCsv(file, root)).rejects.toThrow(/no column path/);
    await expect(readManifestCsv(join(root, 'none.csv'), root)).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(readFolder(join(root, 'none'))).rejects.toMatchObject({ code: 'not-found' });
  });
});
