import type { GroupSet, LabelledGroup } from '../../training/dataset/groups.js';
import { Random } from '../../encoder/random.js';

/**
 * Groups whose label can be seen in every view: a bright bar whose height in the crop tells the
 * label, over a texture that tells the person; views differ by brightness and noise.
 */
export function toySet({
  people = 6,
  labels = ['low', 'middle', 'high'],
  captures = 6,
  views = 3,
  shapes = 0,
} = {}): GroupSet {
  const groups: LabelledGroup[] = [];
  for (let person = 0; person < people; person++) {
    for (let capture = 0; capture < captures; capture++) {
      const label = capture % labels.length;
      const random = new Random(person * 1000 + capture);
      groups.push({
        personId: `person-${person}`,
        label,
        ...(shapes > 0 && {
          shapes: Array.from({ length: shapes }, (_, i) => (i === label ? 1 : 0)),
        }),
        views: Array.from({ length: views }, (_, v) => ({
          yawDeg: -40 + (80 * v) / Math.max(1, views - 1),
          pitchDeg: 0,
          rollDeg: 0,
          quality: 0.5 + 0.5 * random.uniform(),
          crop: picture(person, (label + 0.5) / labels.length, random),
        })),
      });
    }
  }
  return {
    labels,
    size: groups.length,
    info: (index) => groups[index]!,
    read: (index) => groups[index]!,
  };
}

function picture(person: number, height: number, random: Random): Uint8Array {
  const gain = random.between(0.6, 1);
  const middle = 14 + 36 * height;
  return Uint8Array.from({ length: 64 * 64 }, (_, at) => {
    const [x, y] = [at % 64, Math.floor(at / 64)];
    const bar = Math.abs(y - middle) < 4 && x > 16 && x < 48 ? 110 : 0;
    return gain * (80 + 25 * Math.sin(x * (0.1 + 0.02 * person)) + bar) + random.between(0, 12);
  });
}
