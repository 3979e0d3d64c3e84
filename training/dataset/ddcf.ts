import { picturesUnder, stem, type LabelledPicture, type PictureList } from './pictures.js';

const EXPRESSIONS: Readonly<Record<string, string>> = {
  neutral: 'neutral', happy: 'happiness', sad: 'sadness', surprised: 'surprise', surprise: 'surprise',
  afraid: 'fear', fear: 'fear', angry: 'anger', disgusted: 'disgust', disgust: 'disgust', content: 'content',
}; // prettier-ignore

const NAME = /^(S\d+)_\d+yo([MF])_([A-Za-z]+)_(.+)$/i;
/** The camera's running number ends a name. */
const RUNNING_NUMBER = /_?\d{3,}$/;
const SIDE = /^(?:(l|left|r|right)_?(30|60)|(30|60)_?(l|left|r|right))(?:_(.+))?$/i;

/**
 * The Dartmouth Database of Children's Faces (Dalrymple, Gomez & Duchaine 2013, PLoS ONE 8(11):
 * e79131): 80 children, eight expressions, five angles, two lights.
 * Its owners send it on request and publish no list of names. What is known of them is one name that
 * a study quotes, `S27_9yoM_Neutral_front_1040.JPG`: number of the child, age and sex, expression,
 * angle, running number. The other words are assumed: expressions by their usual English names,
 * angles as a side and 30 or 60 in either order. What does not fit is listed as skipped. An angle in other words leaves the yaw open,
 * and every further word (the light) tells groups apart. 'content', a smile with closed lips, is no
 * label of ours and stays a label of its own.
 */
export async function readDdcf(root: string): Promise<PictureList> {
  const skipped: { path: string; reason: string }[] = [];
  const pictures = (await picturesUnder(root)).flatMap((path): LabelledPicture[] => {
    const match = NAME.exec(stem(path));
    const label = EXPRESSIONS[match?.[3]?.toLowerCase() ?? ''];
    if (!match || label === undefined) {
      skipped.push({ path, reason: 'not a DDCF name' });
      return [];
    }
    const personId = match[1]!.toUpperCase();
    const { yawDeg, rest } = angleOf(match[4]!.replace(RUNNING_NUMBER, ''));
    return [{ path, label, personId, groupId: `${personId}/${label}/${rest}`, yawDeg }];
  });
  return { pictures, skipped };
}

/** Left and right are taken as the picture's: yaw is positive where the nose points to its right. */
function angleOf(words: string): { yawDeg: number | undefined; rest: string } {
  const front = /^front(?:_(.+))?$/i.exec(words);
  if (front) return { yawDeg: 0, rest: front[1] ?? '' };
  const side = SIDE.exec(words);
  if (!side) return { yawDeg: undefined, rest: '' };
  const left = /^l/i.test(side[1] ?? side[4]!);
  const degrees = Number(side[2] ?? side[3]);
  return { yawDeg: left ? -degrees : degrees, rest: side[5] ?? '' };
}

/** Whether most pictures of a folder are named as DDCF's. */
export function isDdcf(names: readonly string[]): boolean {
  const pictures = names.filter((name) => /\.jpe?g$/i.test(name));
  const matching = pictures.filter((name) => NAME.test(stem(name)));
  return pictures.length > 0 && matching.length > pictures.length / 2;
}
