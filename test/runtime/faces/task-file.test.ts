import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { ClmexError } from '../../../core/errors.js';
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
