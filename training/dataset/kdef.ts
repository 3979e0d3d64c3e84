import { picturesUnder, stem, type LabelledPicture, type PictureList } from './pictures.js';

const EXPRESSIONS: Readonly<Record<string, string>> = {
  AF: 'fear', AN: 'anger', DI: 'disgust', HA: 'happiness', NE: 'neutral', SA: 'sadness', SU: 'surprise',
}; // prettier-ignore

/** Full and half profiles to either side, and straight. */
const YAWS_DEG: Readonly<Record<string, number>> = { FL: -90, HL: -45, S: 0, HR: 45, FR: 90 };

/** Two pictures are distributed under names that lost their end. */
const MISNAMED: Readonly<Record<string, string>> = { AF31V: 'AF31SAHL', AM31H: 'AM31SUHR' };

const NAME = /^([AB])([FM])(\d\d)(AF|AN|DI|HA|NE|SA|SU)(FL|HL|S|HR|FR)$/;

/**
 * The Karolinska Directed Emotional Faces as their owners distribute them: session, sex and number,
 * expression, angle in the name (`AF01ANFL.JPG`). A person is sex and number over both sessions; the
 * five angles of one session and expression are one group. About ten pictures are black: they are
 * found by their pixels when they are read.
 */
export async function readKdef(root: string): Promise<PictureList> {
  const skipped: { path: string; reason: string }[] = [];
  const pictures = (await picturesUnder(root)).flatMap((path): LabelledPicture[] => {
    const name = stem(path).toUpperCase();
    const match = NAME.exec(MISNAMED[name] ?? name);
    if (!match) {
      skipped.push({ path, reason: 'not a KDEF name' });
      return [];
    }
    const [, session, sex, number, expression, angle] = match as unknown as [string, string, string, string, string, string];
    const personId = `${sex}${number}`;
    return [{
      path,
      label: EXPRESSIONS[expression]!,
      personId,
      groupId: `${session}${personId}${expression}`,
      yawDeg: YAWS_DEG[angle]!,
    }];
  }); // prettier-ignore
  return { pictures, skipped };
}

/** Whether most pictures of a folder are named as KDEF's. */
export function isKdef(names: readonly string[]): boolean {
  const pictures = names.filter((name) => /\.jpe?g$/i.test(name));
  const matching = pictures.filter((name) => NAME.test(stem(name).toUpperCase()));
  return pictures.length > 0 && matching.length > pictures.length / 2;
}
