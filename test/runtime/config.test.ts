import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClmexError } from '../../core/errors.js';
import { configJsonSchema, parseConfig } from '../../runtime/config.js';

const video = { kind: 'video', path: 'a.mp4' };
const good = { cameras: [{ id: 'left', source: video }] };

function refusal(json: unknown): ClmexError {
  try {
    parseConfig(json, '/rigs');
  } catch (error) {
    expect(error).toBeInstanceOf(ClmexError);
    return error as ClmexError;
  }
  throw new Error('was accepted');
}

describe('a configuration', () => {
  it('needs only cameras; everything else has a default that keeps pictures and port private', () => {
    const config = parseConfig(good, '/rigs');
    expect(config.stream.host).toBe('127.0.0.1');
    expect(config.privacy.previews).toBe(false);
    expect(config.subjects.max).toBeGreaterThan(0);
  });

  it('reads paths from the directory of its file', () => {
    const config = parseConfig(
      { ...good, calibration: 'rig.calibration.json', model: '../model' },
      '/rigs',
    );
    expect(config.cameras[0]!.source).toMatchObject({ path: resolve('/rigs/a.mp4') });
    expect(config.calibration).toBe(resolve('/rigs/rig.calibration.json'));
    expect(config.model).toBe(resolve('/model'));
  });

  it.each([
    ['no cameras', { cameras: [] }, 'cameras', /1/],
    ['a share of nothing', { ...good, prior: { anger: 0 } }, 'prior.anger', /more than 0/],
    [
      'a camera listed twice',
      { cameras: [good.cameras[0], good.cameras[0]] },
      'cameras[1].id',
      /twice/,
    ],
    [
      'an unknown source kind',
      { cameras: [{ id: 'a', source: { kind: 'floppy' } }] },
      'cameras[0].source.kind',
      /video/,
    ],
    [
      'a turn that is none',
      { cameras: [{ ...good.cameras[0], rotate: 7 }] },
      'cameras[0].rotate',
      /0, 1, 2, 3|0.*3/,
    ],
    [
      'a path that is a number',
      { cameras: [{ id: 'a', source: { kind: 'video', path: 3 } }] },
      'cameras[0].source.path',
      /string/,
    ],
    ['a field nobody knows', { ...good, camera: [] }, 'camera', /schema/],
    [
      'too many cameras',
      { cameras: Array.from({ length: 9 }, (_, i) => ({ id: `c${i}`, source: video })) },
      'cameras',
      /8/,
    ],
    ['threads that are a fraction', { ...good, engine: { threads: 1.5 } }, 'engine.threads', /int/],
    [
      'an open port without a token',
      { ...good, stream: { host: '0.0.0.0' } },
      'stream.tokens',
      /token/,
    ],
  ])(
    'with %s is refused by the field, the value and what is allowed',
    (_, json, field, message) => {
      const error = refusal(json);
      expect(error.code).toBe('invalid-config');
      expect(error.field).toBe(field);
      expect(error.message).toMatch(message);
    },
  );

  it('is never half accepted: any JSON is either a configuration or a typed refusal', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        expect(refusal(json).field).toBeTruthy();
      }),
    );
  });

  it('has a JSON Schema for editors that names every source kind', () => {
    const text = JSON.stringify(configJsonSchema());
    for (const kind of ['video', 'recording', 'v4l2', 'rtsp', 'gstreamer', 'node-webcam']) {
      expect(text).toContain(`"${kind}"`);
    }
  });
});
