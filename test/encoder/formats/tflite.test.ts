import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClmexError } from '../../../core/errors.js';
import { inferShapes } from '../../../encoder/formats/shapes.js';
import { readTflite } from '../../../encoder/formats/tflite.js';

const resolve = createRequire(import.meta.url).resolve;
const detector = (file: string): Promise<Uint8Array> =>
  readFile(resolve('@mediapipe/face_detection/package.json').replace('package.json', file));

/** Reads, and takes a typed error about the model for an answer. Anything else fails the test. */
function readsOrSays(bytes: Uint8Array): 'read' | ClmexError {
  try {
    readTflite(bytes, 'test');
    return 'read';
  } catch (error) {
    if (!(error instanceof ClmexError)) throw error;
    expect(['model-invalid', 'unsupported']).toContain(error.code);
    return error;
  }
}

describe('a TensorFlow Lite model', () => {
  it.each([
    ['face_detection_short_range.tflite', [1, 896, 16]],
    ['face_detection_full_range.tflite', [1, 2304, 16]],
    ['face_detection_full_range_sparse.tflite', [1, 2304, 16]],
  ])('is read whole: %s', async (file, regressors) => {
    const graph = readTflite(await detector(file), file);
    expect(graph.outputs.map(({ shape }) => shape)).toContainEqual(regressors);
    expect(inferShapes(graph).size).toBe(graph.inputs.length + graph.layers.length);
    for (const layer of graph.layers)
      if (layer.kind === 'conv2d') expect(layer.kernel.data.every(Number.isFinite)).toBe(true);
  });

  it('cut off anywhere is refused, never misread', async () => {
    const bytes = await detector('face_detection_short_range.tflite');
    const cuts = fc.integer({ min: 0, max: bytes.length - 1 });
    fc.assert(
      fc.property(cuts, (length) => {
        expect(readsOrSays(bytes.subarray(0, length))).toBeInstanceOf(ClmexError);
      }),
      { numRuns: 150 },
    );
    for (let length = 0; length < 400; length++)
      expect(readsOrSays(bytes.subarray(0, length))).toBeInstanceOf(ClmexError);
  });

  it('with any byte of its structure changed is read or refused with a typed error', async () => {
    const bytes = await detector('face_detection_short_range.tflite');
    // Tables lie before and after the weights; both ends are tried as often as the middle.
    const ends = fc.oneof(
      fc.integer({ min: 0, max: 4095 }),
      fc.integer({ min: bytes.length - 40_000, max: bytes.length - 1 }),
      fc.integer({ min: 0, max: bytes.length - 1 }),
    );
    fc.assert(
      fc.property(ends, fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Uint8Array.from(bytes);
        changed[at]! ^= flip;
        readsOrSays(changed);
      }),
      { numRuns: 200 },
    );
  });

  it('with an operator that is not known is refused by its name and place', async () => {
    const bytes = Uint8Array.from(await detector('face_detection_short_range.tflite'));
    // Turn the file's RELU (19) operator code into TANH (28): a code table of one field each.
    const message = (error: unknown): string => (error as ClmexError).message;
    let said = '';
    for (let at = bytes.length - 1; at >= 0 && said === ''; at--) {
      if (bytes[at] !== 19) continue;
      const changed = Uint8Array.from(bytes);
      changed[at] = 28;
      const answer = readsOrSays(changed);
      if (answer !== 'read' && message(answer).includes('TANH')) said = message(answer);
    }
    expect(said).toMatch(/operator \d+ TANH \(makes '.+'\): an operator that is not known/);
  });

  it('is not any file of another kind', () => {
    expect(readsOrSays(new TextEncoder().encode('not a model at all'))).toMatchObject({
      code: 'model-invalid',
    });
  });
});
