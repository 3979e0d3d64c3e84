import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../runtime/stream/eventually.js';
import type { ExpressionScores } from '../../core/types.js';
import type { StreamServer } from '../../runtime/stream/index.js';
import { scoreOf, serve, statusAt } from '../runtime/stream/scripted.js';

let server: StreamServer;
let child: ChildProcess | undefined;

beforeEach(async () => {
  server = await serve();
});
afterEach(async () => {
  if (child?.exitCode === null) {
    child.kill();
    await once(child, 'exit');
  }
  await server.close();
});

/** Runs a sample as a user does, against the scripted runtime. */
async function run(sample: string, ...more: string[]): Promise<{ said: () => string }> {
  child = spawn(process.execPath, [`samples/${sample}.mjs`, server.url, ...more]);
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  await eventually(() => server.clients).toBe(1);
  return { said: () => output };
}

const smiling = (subjectId: string, atMs: number, happiness: number): ExpressionScores => ({
  ...scoreOf(subjectId, atMs),
  scores: { happiness, neutral: 1 - happiness },
  top: happiness > 0.5 ? 'happiness' : 'neutral',
  confidence: Math.max(happiness, 1 - happiness),
});

/** One score every 100 ms of the runtime's time. */
function play(happiness: readonly number[], fromMs = 0): void {
  happiness.forEach((share, i) => {
    setTimeout(() => server.publishScores([smiling('p1', fromMs + i * 100, share)]), i * 5);
  });
}

describe('the samples', () => {
  test('print-scores says who shows what, and who saw it', async () => {
    const { said } = await run('print-scores');
    server.publishScores([smiling('p1', 1, 0.81)]);
    await eventually(said).toBe('p1: happiness 81 % (left, front, right)\n');
  });

  test('kiosk-reaction reacts once to a smile that lasts and never to a flicker', async () => {
    const { said } = await run('kiosk-reaction');
    play([0.1, 0.9, 0.1, 0.9, 0.2]);
    await eventually(said).toContain('welcome, p1');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(said()).not.toContain('fireworks');
    play(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? 0.5 : 0.9)),
      1000,
    );
    await eventually(said).toContain('p1 smiles: show the fireworks');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(said().match(/fireworks/g)).toHaveLength(1);
  });

  test('latest-over-http answers with the latest score of everybody', async () => {
    const { said } = await run('latest-over-http', '0');
    server.publishScores([scoreOf('p1', 1), scoreOf('p2', 1)]);
    server.publishScores([scoreOf('p1', 2)]);
    await eventually(said).toContain('latest scores: http://');
    const url = /http:\S+/.exec(said())![0];
    const latest = async (): Promise<unknown> => (await fetch(url)).json();
    await eventually(latest).toEqual([scoreOf('p1', 2), scoreOf('p2', 1)]);
    await server.close();
    await eventually(async () => (await fetch(url)).status).toBe(503);
  });

  test('visits sums up everybody who leaves', async () => {
    const { said } = await run('visits');
    for (let atMs = 1000; atMs <= 3500; atMs += 100) {
      server.publishScores([smiling('p1', atMs, 0.9)]);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    server.publishSubject({ subjectId: 'p1', state: 'left', atMs: 4000 });
    await eventually(said).toBe('p1: 2.5 s, mostly happiness\n');
  });

  test('camera-health names clocks and reasons', async () => {
    const { said } = await run('camera-health');
    server.publishStatus(statusAt(5));
    await eventually(said).toContain('110 of 120 frame sets complete');
    await eventually(said).toContain(
      'right live 15.0 fps, 25.0 ms off, drifts -20 ppm; drops: late 2',
    );
  });
});
