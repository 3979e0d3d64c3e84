import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RecordingWriter, summarizeRecording } from '../../../runtime/recording/index.js';
import { childrenOf } from '../../support/processes.js';

const CLI = resolve('dist/cli.js');
const RTSP_SERVER = resolve('test/support/rtsp-server.py');

let folder: string;
let started: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clmex-record-'));
});
afterEach(async () => {
  for (const child of started) child.kill('SIGKILL');
  started = [];
  await rm(folder, { recursive: true });
});

function launch(command: string, args: readonly string[]) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  let out = '';
  let errors = '';
  child.stdout.on('data', (text) => (out += String(text)));
  child.stderr.on('data', (text) => (errors += String(text)));
  const ended = once(child, 'close').then(([code]) => ({
    code: code as number | null,
    out,
    errors,
  }));
  return {
    child,
    ended,
    firstLine: () =>
      expect
        .poll(() => out, { timeout: 20_000 })
        .toMatch(/\n/)
        .then(() => out.trim()),
  };
}

async function configOf(cameras: object[]): Promise<string> {
  const path = join(folder, 'rig.json');
  await writeFile(path, JSON.stringify({ cameras }));
  return path;
}

const testPattern = (id: string) => ({
  id,
  source: {
    kind: 'gstreamer',
    pipeline: 'videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=15/1',
  },
});

async function rtspCamera(id: string) {
  const port = await launch('/usr/bin/python3', [RTSP_SERVER]).firstLine();
  return { id, source: { kind: 'rtsp', url: `rtsp://127.0.0.1:${port}/test` } };
}

const sizeOf = async (path: string): Promise<number> =>
  existsSync(path) ? (await stat(path)).size : 0;

describe('clmex record', () => {
  it('writes what the cameras deliver, and says what it wrote', async () => {
    const config = await configOf([testPattern('left'), await rtspCamera('right')]);
    const out = join(folder, 'out.mcap');
    const { ended } = launch(process.execPath, [
      CLI,
      'record',
      '--config',
      config,
      '--out',
      out,
      '--seconds',
      '8',
      '--json',
    ]);
    const result = await ended;
    expect(result).toMatchObject({ code: 0 });
    const report = JSON.parse(result.out) as {
      frames: number;
      cameras: Record<string, { frames: number }>;
    };
    const summary = await summarizeRecording(out);
    expect(summary.truncated).toBe(false);
    for (const { id, frames } of summary.cameras) {
      expect(frames).toBeGreaterThan(10);
      expect(frames).toBe(report.cameras[id]!.frames);
    }
    expect(summary.cameras.map(({ id }) => id)).toEqual(['left', 'right']);
  });

  it('leaves a file that opens and no orphaned child when it is killed', async () => {
    const config = await configOf([
      testPattern('left'),
      testPattern('right'),
      await rtspCamera('far'),
    ]);
    const out = join(folder, 'out.mcap');
    const { child, ended } = launch(process.execPath, [
      CLI,
      'record',
      '--config',
      config,
      '--out',
      out,
      '--quality',
      '100',
    ]);
    await expect.poll(() => sizeOf(out), { timeout: 30_000 }).toBeGreaterThan(1_100_000);
    const children = await childrenOf(child.pid);
    expect(children.length).toBeGreaterThanOrEqual(3);
    child.kill('SIGKILL');
    await ended;
    const summary = await summarizeRecording(out);
    expect(summary.truncated).toBe(true);
    expect(summary.cameras.reduce((sum, { frames }) => sum + frames, 0)).toBeGreaterThan(20);
    // Their pipes are closed: the next frame they write ends them.
    const alive = async () => {
      const names = await Promise.all(
        children.map(({ pid }) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
      );
      return names.filter((name) => /ffmpeg|gst-launch/.test(name));
    };
    await expect.poll(alive, { timeout: 10_000 }).toEqual([]);
  });

  it('says that there is no room left, keeps what was written, and leaves no child', async () => {
    const pipeline =
      'videotestsrc is-live=true pattern=snow ! video/x-raw,width=320,height=240,framerate=15/1';
    const snow = { id: 'left', source: { kind: 'gstreamer', pipeline } };
    const config = await configOf([snow, await rtspCamera('right')]);
    const out = join(folder, 'out.mcap');
    const command = [process.execPath, CLI, 'record', '--config', config, '--out', out];
    // The largest file this process may write; a full disk answers at the same place.
    const limited = `trap '' XFSZ; ulimit -f 4000; exec "$@"`;
    const args = ['-c', limited, 'bash', ...command, '--quality', '100', '--seconds', '60'];
    const { child, ended } = launch('bash', args);
    await expect.poll(() => sizeOf(out), { timeout: 30_000 }).toBeGreaterThan(1_000_000);
    const children = await childrenOf(child.pid);
    expect(children.length).toBeGreaterThanOrEqual(2);
    const { code, errors } = await ended;
    expect(code).toBe(1);
    expect(errors).toMatch(/full|room/);
    const { cameras } = await summarizeRecording(out);
    expect(cameras.reduce((sum, { frames }) => sum + frames, 0)).toBeGreaterThan(20);
    for (const { pid } of children) expect(existsSync(`/proc/${pid}`)).toBe(false);
  });

  it('ends cleanly on Ctrl-C', async () => {
    const config = await configOf([testPattern('left')]);
    const out = join(folder, 'out.mcap');
    const { child, ended } = launch(process.execPath, [
      CLI,
      'record',
      '--config',
      config,
      '--out',
      out,
      '--quality',
      '100',
    ]);
    await expect.poll(() => sizeOf(out), { timeout: 30_000 }).toBeGreaterThan(500_000);
    const children = await childrenOf(child.pid);
    child.kill('SIGINT');
    expect((await ended).code).toBe(0);
    expect((await summarizeRecording(out)).truncated).toBe(false);
    for (const { pid } of children) expect(existsSync(`/proc/${pid}`)).toBe(false);
  });

  it('goes on when one camera is broken, and fails when all are', async () => {
    const broken = join(folder, 'broken.mp4');
    await writeFile(broken, 'nothing');
    const bad = { id: 'bad', source: { kind: 'video', path: broken } };
    const out = join(folder, 'out.mcap');
    const record = (config: string) =>
      launch(process.execPath, [CLI, 'record', '--config', config, '--out', out, '--seconds', '6'])
        .ended;
    const some = await record(await configOf([bad, testPattern('left')]));
    expect(some).toMatchObject({
      code: 0,
      errors: expect.stringContaining("camera 'bad'") as unknown,
    });
    expect((await summarizeRecording(out)).cameras.map(({ id }) => id)).toEqual(['left']);
    await rm(out);
    const none = await record(await configOf([bad]));
    expect(none).toMatchObject({
      code: 1,
      errors: expect.stringContaining('no camera delivered') as unknown,
    });
    expect(existsSync(out)).toBe(false);
  });

  it('says at once what becomes of a camera, and names one that gave nothing', async () => {
    const mute = {
      id: 'mute',
      source: { kind: 'gstreamer', pipeline: 'videotestsrc num-buffers=0' },
    };
    const config = await configOf([mute, testPattern('left')]);
    const out = join(folder, 'out.mcap');
    const args = [CLI, 'record', '--config', config, '--out', out, '--seconds', '5'];
    const { code, errors } = await launch(process.execPath, args).ended;
    expect(code).toBe(0);
    expect(errors).toMatch(/^camera 'mute' reconnecting/m);
    expect(errors).toMatch(/^camera 'left' live, /m);
    expect(errors).toContain("clmex: camera 'mute': delivered no frame");
  });

  it('names the camera whose program is not installed', async () => {
    const away = { id: 'away', source: { kind: 'rtsp', url: 'rtsp://127.0.0.1:1/x' } };
    const config = await configOf([away]);
    const command = [process.execPath, CLI, 'record', '--config', config];
    const args = ['PATH=/nowhere', ...command, '--out', join(folder, 'out.mcap')];
    const { code, errors } = await launch('/usr/bin/env', args).ended;
    expect([code, errors]).toEqual([1, expect.stringMatching(/cameras\[0\]: FFmpeg is not inst/)]);
    expect(existsSync(join(folder, 'out.mcap'))).toBe(false);
  });

  it('replaces a recording only where told to', async () => {
    const config = await configOf([testPattern('left')]);
    const out = join(folder, 'out.mcap');
    await writeFile(out, 'precious');
    const args = [CLI, 'record', '--config', config, '--out', out, '--seconds', '4'];
    const { code, errors } = await launch(process.execPath, args).ended;
    expect([code, await readFile(out, 'utf8')]).toEqual([2, 'precious']);
    expect(errors).toMatch(/there already.*--overwrite/);
    expect((await launch(process.execPath, [...args, '--overwrite']).ended).code).toBe(0);
    expect((await summarizeRecording(out)).cameras).toHaveLength(1);
    expect(await readdir(folder)).toEqual(['out.mcap', 'rig.json']);
  });

  it('keeps the recording it was to replace where no camera delivers', async () => {
    const dead = { id: 'dead', source: { kind: 'gstreamer', pipeline: 'nosuchelement' } };
    const config = await configOf([dead]);
    const out = join(folder, 'out.mcap');
    await writeFile(out, 'precious');
    const args = [CLI, 'record', '--config', config, '--out', out, '--seconds', '3', '--overwrite'];
    const { code, errors } = await launch(process.execPath, args).ended;
    expect([code, await readFile(out, 'utf8')]).toEqual([1, 'precious']);
    expect(errors).toMatch(/camera 'dead': .*nosuchelement/);
    // What a killed recorder had set aside is nobody's to overwrite.
    await writeFile(`${out}.former`, 'older still');
    const again = await launch(process.execPath, args).ended;
    expect([again.code, again.errors]).toEqual([2, expect.stringContaining('waits beside it')]);
    expect(await readFile(`${out}.former`, 'utf8')).toBe('older still');
    expect(await readFile(out, 'utf8')).toBe('precious');
  });

  it('loses less than a second of a slow rig of small pictures when it is killed', async () => {
    const pipeline = 'videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=5/1';
    const config = await configOf([{ id: 'slow', source: { kind: 'gstreamer', pipeline } }]);
    const out = join(folder, 'out.mcap');
    const { child, ended } = launch(process.execPath, [
      CLI, 'record', '--config', config, '--out', out, '--quality', '100',
    ]); // prettier-ignore
    const kept = async () => (existsSync(out) ? (await summarizeRecording(out)).durationMs : 0);
    await expect.poll(kept, { timeout: 30_000, interval: 300 }).toBeGreaterThan(1000);
    const before = await kept();
    await new Promise((resolve) => setTimeout(resolve, 2000));
    child.kill('SIGKILL');
    await ended;
    expect((await kept()) - before).toBeGreaterThan(1000);
  });
});

describe('clmex replay', () => {
  it('gives the same frame sets, byte for byte, each time', async () => {
    const recording = resolve('samples/recordings/two-people.mcap');
    const replay = async (out: string) => {
      const result = await launch(process.execPath, [
        CLI,
        'replay',
        recording,
        '--out',
        out,
        '--json',
      ]).ended;
      expect(result.code).toBe(0);
      return {
        report: JSON.parse(result.out) as { frameSets: { total: number; complete: number } },
        sets: await readFile(out, 'utf8'),
      };
    };
    const first = await replay(join(folder, 'first.jsonl'));
    const second = await replay(join(folder, 'second.jsonl'));
    expect(second.sets).toBe(first.sets);
    expect(first.sets.trimEnd().split('\n')).toHaveLength(first.report.frameSets.total);
    expect(first.report.frameSets.complete / first.report.frameSets.total).toBeGreaterThan(0.8);
  });

  it('refuses what is no recording', async () => {
    const path = join(folder, 'not.mcap');
    await writeFile(path, 'plain text');
    const { code, errors, out } = await launch(process.execPath, [CLI, 'replay', path, '--json'])
      .ended;
    expect([code, out]).toEqual([1, '']);
    expect(errors).toMatch(/not\.mcap/);
  });

  it('refuses a recording without frames, as score does', async () => {
    const path = join(folder, 'empty.mcap');
    await (await RecordingWriter.create(path)).close();
    for (const command of ['replay', 'score']) {
      const { code, errors } = await launch(process.execPath, [CLI, command, path]).ended;
      expect([code, errors]).toEqual([1, expect.stringMatching(/holds no frame.*empty\.mcap/)]);
    }
  });
});
