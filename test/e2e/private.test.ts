import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'clmex-home-'));
});
afterEach(() => rm(home, { recursive: true }));

// ONNX Runtime keeps what it counts for its vendor below ~/.cache/Microsoft until it can send it.
it('leaves nothing in the user’s home but its own cache', async () => {
  const env = { PATH: process.env['PATH'], HOME: home };
  const recording = resolve('samples/recordings/two-people.mcap');
  const out = join(home, 'scores.jsonl');
  const child = spawn(process.execPath, ['dist/cli.js', 'score', recording, '--out', out], { env, stdio: 'ignore' }); // prettier-ignore
  expect(await once(child, 'close')).toEqual([0, null]);
  expect((await readdir(home)).sort()).toEqual(['.cache', 'scores.jsonl']);
  expect(await readdir(join(home, '.cache'))).toEqual(['clmex']);
});
