import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, descendantsOf, runCli } from '../support/cli.js';

let folder: string;
const file = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const config = (name: string, value: unknown): string => file(name, JSON.stringify(value));

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'clmex-cli-'));
  execFileSync('ffmpeg', [
    '-loglevel', 'error', '-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=10:duration=3',
    '-pix_fmt', 'yuv420p', join(folder, 'pattern.mp4'),
  ]); // prettier-ignore
});
afterAll(() => rmSync(folder, { recursive: true }));

const pattern = { kind: 'video', path: 'pattern.mp4' };

describe('the command line, used wrongly', () => {
  it('says what is allowed and exits with 2', async () => {
    for (const args of [
      ['fly'],
      ['start'],
      ['score'],
      ['start', '--config', join(folder, 'none.json')],
    ]) {
      const { code, stdout, stderr } = await runCli(...args);
      expect(code, args.join(' ')).toBe(2);
      expect(stdout).toBe('');
      expect(stderr.length).toBeGreaterThan(10);
    }
  });

  it('names an option it does not know rather than one that is missing', async () => {
    const { code, stderr } = await runCli('start', '--prot', '5');
    expect([code, stderr.split('\n')[0]]).toEqual([2, "error: unknown option '--prot'"]);
    expect((await runCli('start')).stderr).toMatch(/required option '--config/);
    expect((await runCli('start', '--help')).code).toBe(0);
  });

  it.each([
    [
      'more cameras than it can serve',
      { cameras: Array.from({ length: 64 }, (_, i) => ({ id: `c${i}`, source: pattern })) },
      2,
      /cameras.*8/s,
    ],
    ['no JSON', '{ cameras', 2, /not JSON/],
    [
      'an unknown source',
      { cameras: [{ id: 'a', source: { kind: 'floppy' } }] },
      2,
      /cameras\[0\]\.source\.kind.*video/s,
    ],
    [
      'a camera listed twice',
      {
        cameras: [
          { id: 'a', source: pattern },
          { id: 'a', source: pattern },
        ],
      },
      2,
      /cameras\[1\]\.id.*twice/,
    ],
    [
      'a missing video',
      { cameras: [{ id: 'a', source: { kind: 'video', path: 'none.mp4' } }] },
      1,
      /none\.mp4/,
    ],
    [
      'a model that is none',
      { cameras: [{ id: 'a', source: pattern }], model: '.' },
      1,
      /model|manifest/,
    ],
  ])('refuses a configuration with %s', async (name, value, expected, message) => {
    const path = typeof value === 'string' ? file('x.json', value) : config('x.json', value);
    const { code, stderr } = await runCli('score', '--config', path, '--json');
    expect(stderr, name).toMatch(message);
    expect(code).toBe(expected);
  });

  it('refuses a timestamps file whose rows do not match the frames', async () => {
    file('short.csv', 'seconds\n0\n0.1\n0.2\n');
    const path = config('rows.json', {
      cameras: [{ id: 'a', source: { ...pattern, timestamps: 'short.csv' } }],
    });
    const { code, stderr } = await runCli('score', '--config', path, '--json');
    expect(code).toBe(1);
    expect(stderr).toMatch(/timestamps|rows/);
  });

  it('scores the other cameras to their ends when one is corrupt, and exits with 1', async () => {
    file('corrupt.mp4', 'this is no video');
    const path = config('corrupt.json', {
      cameras: [
        { id: 'good', source: pattern },
        { id: 'bad', source: { kind: 'video', path: 'corrupt.mp4' } },
      ],
    });
    const { code, stdout, stderr } = await runCli('score', '--config', path, '--json');
    expect(stderr).toMatch(/bad/);
    expect(code).toBe(1);
    if (stdout !== '') {
      const summary = JSON.parse(stdout) as { cameras: Record<string, { frames: number }> };
      expect(summary.cameras['good']!.frames).toBe(30);
    }
  });

  it('says that the port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((settle) => server.once('listening', settle));
    const { port } = server.address() as AddressInfo;
    const path = config('taken.json', {
      cameras: [{ id: 'a', source: pattern }],
      stream: { port },
    });
    const { code, stderr } = await runCli('start', '--config', path);
    server.close();
    expect(stderr).toMatch(new RegExp(`port.*${port}|${port}.*port`, 's'));
    expect(code).toBe(1);
  });
});

describe('Ctrl-C', () => {
  it('ends cleanly and leaves no child process behind', async () => {
    const path = config('loop.json', {
      cameras: [
        { id: 'a', source: { ...pattern, loop: true } },
        { id: 'b', source: { ...pattern, loop: true } },
      ],
      stream: { port: 0 },
    });
    const cli = new Cli(['start', '--config', path, '--json']);
    await cli.json();
    let children = descendantsOf(cli.process.pid!);
    for (let i = 0; i < 100 && children.length < 2; i++) {
      await new Promise((settle) => setTimeout(settle, 50));
      children = descendantsOf(cli.process.pid!);
    }
    expect(children.map(({ command }) => command)).toContain('ffmpeg');
    const { code } = await cli.interrupt();
    expect(code).toBe(0);
    for (const { pid } of children) expect(() => process.kill(pid, 0)).toThrow();
  });
});

describe('Ctrl-C while scoring', () => {
  it('leaves neither a partial file nor a child process', async () => {
    const path = config('long.json', {
      cameras: ['a', 'b', 'c', 'd'].map((id) => ({ id, source: pattern })),
    });
    const cli = new Cli(['score', '--config', path, '--out', join(folder, 'cut.jsonl')]);
    while (!readdirSync(folder).some((name) => name.startsWith('cut.jsonl')))
      await new Promise((settle) => setTimeout(settle, 20));
    const children = descendantsOf(cli.process.pid!);
    const { code, stderr } = await cli.interrupt();
    expect(stderr).toMatch(/interrupted/);
    expect(code).toBe(1);
    expect(readdirSync(folder).filter((name) => name.startsWith('cut.jsonl'))).toEqual([]);
    for (const { pid } of children) expect(() => process.kill(pid, 0)).toThrow();
  });
});

describe('the doctor', () => {
  it('proves the engine and the model by running them', async () => {
    const { code, stdout } = await runCli(
      'doctor',
      '--json',
      '--config',
      resolve('samples/rig.json'),
    );
    const { ok, checks } = JSON.parse(stdout) as {
      ok: boolean;
      checks: { name: string; ok: boolean }[];
    };
    expect(code).toBe(0);
    expect(ok).toBe(true);
    for (const name of ['node', 'model', 'engine', 'config', 'camera camera-1']) {
      expect(checks.find((check) => check.name === name)?.ok, name).toBe(true);
    }
  });

  it('fails where a camera of the configuration does not deliver', async () => {
    const path = config('gone.json', {
      cameras: [{ id: 'gone', source: { kind: 'v4l2', device: '/dev/video63' } }],
    });
    const { code, stdout } = await runCli('doctor', '--json', '--config', path);
    const { checks } = JSON.parse(stdout) as {
      checks: { name: string; ok: boolean; detail: string }[];
    };
    expect(code).toBe(1);
    const check = checks.find(({ name }) => name === 'camera gone')!;
    expect(check.ok).toBe(false);
    expect(check.detail).toMatch(/no such device.*video63|video63.*no such device/s);
  });
});
