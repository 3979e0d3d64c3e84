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
  blendshapes = 0,
  frontal = 0,
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
        ...(frontal > 0 && {
          // What the picture shows from every side.
          frontal: new Float32Array(frontal).fill((2 * label) / (labels.length - 1) - 1),
        }),
        views: Array.from({ length: views }, (_, v) => ({
          yawDeg: -40 + (80 * v) / Math.max(1, views - 1),
          pitchDeg: 0,
          rollDeg: 0,
          quality: 0.5 + 0.5 * random.uniform(),
          landmarks: mesh(person, -40 + (80 * v) / Math.max(1, views - 1), random),
          ...(blendshapes > 0 && {
            // Who it is, which the landmarks tell.
            blendshapes: new Float32Array(blendshapes).fill((2 * person) / people - 1),
          }),
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

/** A cloud of 468 points of its own a person, turned; it tells nothing of the label. */
function mesh(person: number, yawDeg: number, noise: Random): Float32Array {
  const own = new Random(person);
  const [c, s] = [Math.cos((yawDeg * Math.PI) / 180), Math.sin((yawDeg * Math.PI) / 180)];
  const cloud = new Random(7);
  const out = new Float32Array(468 * 3);
  for (let i = 0; i < out.length; i += 3) {
    const [x, y, z] = [0, 1, 2].map(() => 100 * cloud.uniform() + 5 * own.uniform()) as [
      number,
      number,
      number,
    ];
    out.set([c * x + s * z + noise.uniform(), y, c * z - s * x], i);
  }
  return out;
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
