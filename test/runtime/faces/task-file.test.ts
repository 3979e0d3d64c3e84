import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { ClmexError } from '../../../core/errors.js';
import { writeOnnx } from '../../../encoder/formats/onnx.js';
import { readTflite } from '../../../encoder/formats/tflite.js';
import type { TensorInfo } from '../../../runtime/engine/engine.js';
import { createOnnxRuntime } from '../../../runtime/engine/onnxruntime.js';
import { readTaskFile } from '../../../runtime/faces/task-file.js';
import { describeWithData, sharedData } from '../../support/shared-data.js';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function readsOrSays(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> | ClmexError {
  try {
    return readTaskFile(bytes, 'test.task');
  } catch (error) {
    if (!(error instanceof ClmexError)) throw error;
    expect(['model-invalid', 'limit-exceeded']).toContain(error.code);
    return error;
  }
}

describe('a .task file', () => {
  const content = { 'a.tflite': text('stored '.repeat(40)), 'b.bin': text('') };

  it('gives back what was packed, stored or deflated', () => {
    for (const level of [0, 9] as const) {
      const files = readTaskFile(zipSync(content, { level }), 'test.task');
      expect([...files.keys()]).toEqual(Object.keys(content));
      expect(files.get('a.tflite')).toEqual(content['a.tflite']);
    }
  });

  it('cut off anywhere is refused', () => {
    const bytes = zipSync(content);
    for (let length = 0; length < bytes.length; length++)
      expect(readsOrSays(bytes.subarray(0, length))).toBeInstanceOf(ClmexError);
  });

  it('with any bit changed gives the very same contents or a typed error', () => {
    const bytes = zipSync(content);
    const original = readTaskFile(bytes, 'test.task');
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const changed = Uint8Array.from(bytes);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        const answer = readsOrSays(changed);
        if (answer instanceof ClmexError) return;
        // Names and dates are not covered by a checksum; contents are.
        expect([...answer.values()]).toEqual([...original.values()]);
      }),
      { numRuns: 2000 },
    );
  });

  it('that unpacks to more than its limit is refused before it is unpacked', () => {
    const bomb = zipSync({ 'bomb.bin': new Uint8Array(80 << 20) }, { level: 9 });
    expect(bomb.length).toBeLessThan(1 << 20);
    expect(readsOrSays(bomb)).toMatchObject({ code: 'limit-exceeded', field: 'landmarks' });
  });

  it('that understates what it unpacks to is refused', () => {
    const bytes = zipSync({ 'bomb.bin': new Uint8Array(1 << 20) }, { level: 9 });
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const directory = view.getUint32(bytes.length - 22 + 16, true);
    view.setUint32(directory + 24, 100, true);
    expect(readsOrSays(bytes)).toMatchObject({ code: 'model-invalid' });
  });
});

describeWithData('the published face_landmarker.task', () => {
  const TASK = sharedData('mediapipe', 'face_landmarker.task');

  it('cut off anywhere is refused', async () => {
    const bytes = await readFile(TASK);
    for (let length = 0; length < bytes.length; length += 9973)
      expect(readsOrSays(bytes.subarray(0, length))).toBeInstanceOf(ClmexError);
  });

  it('whose landmark model has a changed byte runs or is refused with a typed error', async () => {
    const model = readTaskFile(await readFile(TASK), TASK).get('face_landmarks_detector.tflite')!;
    const engine = createOnnxRuntime(1);
    // Tables lie before and after the weights, which fill the middle.
    const places = fc.oneof(fc.nat(4095), fc.integer({ min: model.length - 60_000, max: model.length - 1 })); // prettier-ignore
    await fc.assert(
      fc.asyncProperty(places, fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = Uint8Array.from(model);
        changed[at]! ^= flip;
        try {
          const session = await engine.load(writeOnnx(readTflite(changed, 'x'), engine.onnx), 'x');
          const [{ name, shape }] = session.inputs as [TensorInfo];
          const sizes = shape.map((size) => (typeof size === 'number' ? size : 1));
          const data = new Float32Array(sizes.reduce((product, size) => product * size, 1));
          await session.run({ [name]: { data, shape: sizes } });
          await session.close();
        } catch (error) {
          expect(error).toBeInstanceOf(ClmexError);
        }
      }),
      { numRuns: 15 },
    );
  });

  it('holds the four files the landmarks need', async () => {
    const files = readTaskFile(await readFile(sharedData('mediapipe', 'face_landmarker.task')), '');
    expect([...files.keys()].sort()).toEqual([
      'face_blendshapes.tflite',
      'face_detector.tflite',
      'face_landmarks_detector.tflite',
      'geometry_pipeline_metadata_landmarks.binarypb',
    ]);
  });
});
