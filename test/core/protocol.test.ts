import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClmexError } from '../../core/errors.js';
import { PROTOCOL_VERSION, type ScoresMessage } from '../../core/protocol.js';
import {
  handshakeSchema,
  parseMessage,
  previewSchema,
  scoresSchema,
  statusSchema,
  subjectSchema,
  subscriptionSchema,
} from '../../core/protocol-schemas.js';
import { fromRefusal, toRefusal } from '../../core/refusal.js';
import type { ExpressionScores } from '../../core/types.js';

const id = fc.string({ minLength: 1, maxLength: 128 }).filter((text) => text !== '__proto__');
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const share = fc.double({ min: 0, max: 1, noNaN: true });
const expressionScores: fc.Arbitrary<ExpressionScores> = fc.record({
  subjectId: id,
  atMs: number,
  scores: fc.dictionary(id, share, { maxKeys: 8, noNullPrototype: true }),
  top: id,
  confidence: share,
  views: fc.array(fc.record({ cameraId: id, weight: share, yawDeg: number, quality: share }), {
    maxLength: 8,
  }),
  stageMs: fc.dictionary(id, number, { maxKeys: 8, noNullPrototype: true }),
});
const scoresMessage: fc.Arbitrary<ScoresMessage> = fc.record({
  atMs: number,
  scores: fc.array(expressionScores, { maxLength: 4 }),
  dropped: fc.nat(),
});

describe('messages', () => {
  test('what the runtime may send arrives as it was sent', () => {
    fc.assert(
      fc.property(scoresMessage, (message) => {
        const travelled: unknown = JSON.parse(JSON.stringify(message));
        expect(parseMessage(scoresSchema, travelled, 'scores')).toEqual(travelled);
      }),
    );
  });

  test('whatever else arrives is refused with a field, and nothing worse happens', () => {
    const schemas = [
      handshakeSchema, scoresSchema, statusSchema, subjectSchema, subscriptionSchema, previewSchema,
    ]; // prettier-ignore
    fc.assert(
      fc.property(fc.anything(), fc.constantFrom(...schemas), (value, schema) => {
        try {
          parseMessage<unknown>(schema, value, 'message');
        } catch (error) {
          expect(error).toBeInstanceOf(ClmexError);
          expect((error as ClmexError).code).toBe('invalid-argument');
          expect((error as ClmexError).field).toMatch(/^message/);
        }
      }),
    );
  });

  test.each([
    [{ subjects: 'all' }, 'subjects', 'an array'],
    [{ subjects: ['a', ''] }, 'subjects[1]', 'at least 1'],
    [{ cameras: Array.from({ length: 65 }, () => 'x') }, 'cameras', 'at most 64'],
    [{ cameras: ['x'.repeat(129)] }, 'cameras[0]', 'at most 128'],
    [{ cameras: [null] }, 'cameras[0]', 'a string'],
  ])('a wrong subscription names field and bounds: %o', (value, field, allowed) => {
    expect(() => parseMessage(subscriptionSchema, value, 'subscribe')).toThrow(
      expect.objectContaining({ field: `subscribe.${field}`, allowed }) as Error,
    );
  });

  test('a newer peer may say more', () => {
    const handshake = { protocol: PROTOCOL_VERSION, locale: 'de' };
    expect(parseMessage(handshakeSchema, handshake, 'auth')).toEqual({ protocol: 1 });
  });

  test('pictures arrive as bytes in Node and in browsers', () => {
    const preview = { cameraId: 'a', atMs: 1, width: 2, height: 2, faces: [] };
    for (const jpeg of [Buffer.from([1, 2]), Uint8Array.of(1, 2), Uint8Array.of(1, 2).buffer]) {
      const parsed = parseMessage(previewSchema, { ...preview, jpeg }, 'preview');
      expect([...parsed.jpeg]).toEqual([1, 2]);
    }
  });
});

describe('errors on their way', () => {
  test('arrive as they were thrown', () => {
    const thrown = new ClmexError('limit-exceeded', 'too many clients', {
      field: 'stream.maxClients',
      value: 33,
      allowed: 'at most 32',
    });
    const travelled = JSON.parse(JSON.stringify(toRefusal(thrown))) as ReturnType<typeof toRefusal>;
    const arrived = fromRefusal(travelled);
    expect(arrived).toBeInstanceOf(ClmexError);
    expect(arrived.message).toBe(thrown.message);
    expect(arrived).toMatchObject({ code: thrown.code, field: thrown.field, value: 33 });
  });

  test('what was no error of ours tells nothing of the inside', () => {
    const refusal = toRefusal(new Error('ENOENT /home/kiosk/secret'));
    expect(refusal).toEqual({ code: 'engine-failed', message: 'internal error' });
  });

  test('stay small whatever was given', () => {
    fc.assert(
      fc.property(fc.anything(), fc.string({ maxLength: 5000 }), (value, text) => {
        const error = new ClmexError('invalid-argument', text, { field: text, value });
        const shown = toRefusal(error);
        expect(shown.message.length).toBeLessThanOrEqual(500);
        expect(shown.field!.length).toBeLessThanOrEqual(500);
        expect(String(shown.value).length).toBeLessThanOrEqual(500);
      }),
    );
  });
});
