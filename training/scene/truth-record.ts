import type { WorldPerson } from './scene.js';
import { CANONICAL_ORIGIN, meshPoints } from './mesh468.js';

/** What a rendered recording says about an instant: one message a tick. */
export interface TruthRecord {
  readonly people: readonly {
    readonly id: string;
    readonly label: string;
    /** 0–1; 0 for neutral. */
    readonly strength: number;
    /** Head to world, row-major, and the head's origin in metres. */
    readonly head: { readonly rotation: readonly number[]; readonly position: readonly number[] };
    /**
     * The 468 points in the head's axes: base64 of little-endian int16, x y z a point, tenths of a
     * millimetre from the head's origin.
     */
    readonly landmarks: string;
  }[];
}

/** JSON Schema of {@link TruthRecord}. */
export const TRUTH_SCHEMA = {
  type: 'object',
  title: 'clmex.Truth',
  properties: {
    people: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          id: { type: 'string' },
          label: { type: 'string' },
          strength: { type: 'number', description: '0 to 1; 0 for neutral' },
          head: {
            type: 'object',
            properties: {
              rotation: { type: 'array', items: { type: 'number' }, description: 'head to world' },
              position: { type: 'array', items: { type: 'number' }, description: 'metres' },
            },
          },
          landmarks: { type: 'string', description: 'base64 int16, 468 x 3, 0.1 mm, head axes' },
        },
      },
    },
  },
} as const;

const TENTH_MM_A_CM = 100;
const round = (value: number): number => Math.round(value * 1e5) / 1e5;

export function truthRecord(people: readonly WorldPerson[]): TruthRecord {
  return {
    people: people.map(({ id, label, strength, head, positions }) => ({
      id,
      label,
      strength: round(strength),
      head: { rotation: head.rotation.map(round), position: head.position.map(round) },
      landmarks: packPoints(meshPoints(positions)),
    })),
  };
}

function packPoints(points: Float32Array): string {
  const packed = Int16Array.from(points, (value, i) =>
    Math.round((value - CANONICAL_ORIGIN[(i % 3) as 0 | 1 | 2]) * TENTH_MM_A_CM),
  );
  return Buffer.from(packed.buffer).toString('base64');
}

/** The 468 points of a {@link TruthRecord}, metres in the head's axes. */
export function unpackPoints(landmarks: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(landmarks, 'base64'));
  return Float32Array.from(new Int16Array(bytes.buffer), (value) => value * 1e-4);
}
