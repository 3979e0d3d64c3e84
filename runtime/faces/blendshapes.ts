import type { Session } from '../engine/engine.js';

/** Outputs of the blendshape model in order: ARKit names, and the neutral share first. */
const NAMES =
  `_neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff
  cheekSquintLeft cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight
  eyeLookInLeft eyeLookInRight eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight
  eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight jawForward jawLeft jawOpen jawRight mouthClose
  mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel mouthLeft
  mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight
  mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight
  mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft
  noseSneerRight`.split(/\s+/);

/** The points of the 478 the model reads, from MediaPipe's face blendshapes graph. */
const POINTS = [
  0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66,
  67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145,
  146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178,
  181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291,
  293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332, 334, 336, 338, 356,
  361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397,
  398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
]; // prettier-ignore

/** MediaPipe's blendshape model: landmarks in, 52 coefficients by ARKit name out. */
export class BlendshapeModel {
  readonly #session: Session;
  readonly #input = new Float32Array(POINTS.length * 2);

  constructor(session: Session) {
    this.#session = session;
  }

  /** @param landmarks 478 × 3 pixels. */
  async of(landmarks: Float32Array): Promise<Readonly<Record<string, number>>> {
    POINTS.forEach((point, i) => {
      this.#input[2 * i] = landmarks[point * 3]!;
      this.#input[2 * i + 1] = landmarks[point * 3 + 1]!;
    });
    const [input, output] = [this.#session.inputs[0]!.name, this.#session.outputs[0]!.name];
    const tensor = { data: this.#input, shape: [1, POINTS.length, 2] };
    const scores = (await this.#session.run({ [input]: tensor }))[output]!.data;
    return Object.fromEntries(NAMES.map((name, i) => [name, scores[i]!]));
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}
