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

/** Corners of the right and the left eye; the iris of each follows in the 478-point mesh. */
const EYES = [
  [33, 133],
  [263, 362],
] as const;
const IRIS_FROM = 468;
/** An iris's radius in widths of the eye: 11.7 mm (MediaPipe Iris) over twice some 29 mm. */
const IRIS_RADIUS = 0.2;
const IRIS = [[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]] as const; // prettier-ignore

/** MediaPipe's blendshape model: landmarks in, 52 coefficients by ARKit name out. */
export class BlendshapeModel {
  readonly #session: Session;
  readonly #input = new Float32Array(POINTS.length * 2);

  constructor(session: Session) {
    this.#session = session;
  }

  /**
   * @param landmarks 478 × 3 pixels; of 468 the irises are taken to look straight ahead, so that what is
   * read of the gaze says nothing.
   */
  async of(landmarks: Float32Array): Promise<Readonly<Record<string, number>>> {
    POINTS.forEach((point, i) => {
      this.#input[2 * i] = landmarks[point * 3]!;
      this.#input[2 * i + 1] = landmarks[point * 3 + 1]!;
    });
    if (landmarks.length <= IRIS_FROM * 3) this.#lookAhead();
    const [input, output] = [this.#session.inputs[0]!.name, this.#session.outputs[0]!.name];
    const tensor = { data: this.#input, shape: [1, POINTS.length, 2] };
    const scores = (await this.#session.run({ [input]: tensor }))[output]!.data;
    return Object.fromEntries(NAMES.map((name, i) => [name, scores[i]!]));
  }

  /** The irises are the last of the points that the model reads. */
  #lookAhead(): void {
    const at = (point: number): [x: number, y: number] => {
      const i = 2 * POINTS.indexOf(point);
      return [this.#input[i]!, this.#input[i + 1]!];
    };
    EYES.forEach(([outer, inner], eye) => {
      const [[x0, y0], [x1, y1]] = [at(outer), at(inner)];
      const radius = IRIS_RADIUS * Math.hypot(x1 - x0, y1 - y0);
      const first = POINTS.indexOf(IRIS_FROM + eye * IRIS.length);
      IRIS.forEach(([dx, dy], i) => {
        this.#input[2 * (first + i)] = (x0 + x1) / 2 + dx * radius;
        this.#input[2 * (first + i) + 1] = (y0 + y1) / 2 + dy * radius;
      });
    });
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}
