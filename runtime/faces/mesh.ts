import type { Session } from '../engine/engine.js';
import type { Region } from './region.js';
import { Sampler, type Look } from './sampler.js';

/** Landmarks of one face: N × 3 picture pixels (z in the same scale) and the model's presence. */
export interface Mesh {
  readonly landmarks: Float32Array;
  /** 0–1: whether the region holds a face. */
  readonly presence: number;
}

export interface MesherSpec {
  readonly input: string;
  readonly landmarks: string;
  readonly presence: string;
  readonly side: number;
  readonly points: number;
}

/** MediaPipe's landmark model over a batch of regions, which may lie in different pictures. */
export class Mesher {
  readonly #session: Session;
  readonly #spec: MesherSpec;
  readonly #sampler: Sampler;

  constructor(session: Session, spec: MesherSpec) {
    this.#session = session;
    this.#spec = spec;
    this.#sampler = new Sampler({ side: spec.side, range: [0, 1], border: 'repeat' });
  }

  async fit(looks: readonly Look[]): Promise<Mesh[]> {
    if (looks.length === 0) return [];
    const { side, points, input, landmarks, presence } = this.#spec;
    const data = this.#sampler.sample(looks);
    const outputs = await this.#session.run({ [input]: { data, shape: [looks.length, side, side, 3] } }); // prettier-ignore
    const [raw, logits] = [outputs[landmarks]!.data, outputs[presence]!.data];
    return looks.map(({ region }, i) => ({
      landmarks: toPicture(raw, i * points * 3, points, side, region),
      presence: 1 / (1 + Math.exp(-logits[i]!)),
    }));
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}

function toPicture(
  raw: Float32Array,
  from: number,
  points: number,
  side: number,
  region: Region,
): Float32Array {
  const landmarks = new Float32Array(points * 3);
  const [scaleX, scaleY] = [region.width / side, region.height / side];
  const [cos, sin] = [Math.cos(region.rotation), Math.sin(region.rotation)];
  for (let i = 0; i < points * 3; i += 3) {
    const dx = raw[from + i]! * scaleX - region.width / 2;
    const dy = raw[from + i + 1]! * scaleY - region.height / 2;
    landmarks[i] = region.x + dx * cos - dy * sin;
    landmarks[i + 1] = region.y + dx * sin + dy * cos;
    landmarks[i + 2] = raw[from + i + 2]! * scaleX;
  }
  return landmarks;
}

const EYE_RIGHT = 33;
const EYE_LEFT = 263;

/**
 * Where to look in the next frame: 1.5 × the square around the landmarks, turned by the eyes' line
 * (MediaPipe's own rule).
 */
export function regionOfLandmarks(landmarks: Float32Array): Region {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < landmarks.length; i += 3) {
    x0 = Math.min(x0, landmarks[i]!);
    x1 = Math.max(x1, landmarks[i]!);
    y0 = Math.min(y0, landmarks[i + 1]!);
    y1 = Math.max(y1, landmarks[i + 1]!);
  }
  const side = 1.5 * Math.max(x1 - x0, y1 - y0);
  const dx = landmarks[EYE_LEFT * 3]! - landmarks[EYE_RIGHT * 3]!;
  const dy = landmarks[EYE_LEFT * 3 + 1]! - landmarks[EYE_RIGHT * 3 + 1]!;
  return {
    x: (x0 + x1) / 2,
    y: (y0 + y1) / 2,
    width: side,
    height: side,
    rotation: Math.atan2(dy, dx),
  };
}
