import { describe, expect, it } from 'vitest';
import { Random } from '../../encoder/random.js';
import { mapEmbeddings } from '../../training/embedding-map.js';
import { neighbourAccuracy } from '../../training/neighbours.js';
import type { ProbeExample } from '../../training/probe.js';

const random = new Random(4);

/** Unit vectors about one axis a cluster. */
function about(axis: number, spread = 0.1): Float32Array {
  const vector = Float32Array.from(
    { length: 8 },
    (_, i) => (i === axis ? 1 : 0) + spread * random.normal(),
  );
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

describe('neighbours of other people', () => {
  it('name every face where labels lie apart, whoever shows them', () => {
    const examples = Array.from({ length: 60 }, (_, i): ProbeExample => {
      const label = i % 3;
      return { personId: `p${i % 20}`, label, vector: about(label) };
    });
    expect(neighbourAccuracy(examples)).toBe(1);
  });

  it('name nothing where each person lies apart and a label is one person', () => {
    const examples = Array.from({ length: 60 }, (_, i): ProbeExample => {
      const person = i % 3;
      return { personId: `p${person}`, label: person, vector: about(person) };
    });
    expect(neighbourAccuracy(examples)).toBe(0);
  });
});

describe('a map of embeddings', () => {
  const vectors = Array.from({ length: 60 }, (_, i) => about(i % 2, 0.05));

  it('keeps clusters together and apart from each other, within the unit square', async () => {
    const places = await mapEmbeddings(vectors, 1);
    for (const place of places) for (const at of place) expect(at >= 0 && at <= 1).toBe(true);
    const right = places.filter((place, i) => {
      const nearest = places
        .map(([x, y], k) => ({ k, apart: k === i ? Infinity : Math.hypot(x - place[0], y - place[1]) }))
        .reduce((a, b) => (b.apart < a.apart ? b : a)); // prettier-ignore
      return nearest.k % 2 === i % 2;
    });
    expect(right).toHaveLength(vectors.length);
  });

  it('is the same for the same seed', async () => {
    expect(await mapEmbeddings(vectors, 3)).toEqual(await mapEmbeddings(vectors, 3));
  });
});
