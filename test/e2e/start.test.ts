import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../runtime/stream/eventually.js';
import { connect } from '../../sdk/index.js';
import { keepScreenshot, launch, watchedPage } from './browser.js';

let browser: Browser;
let runtime: ChildProcess;
let url: string;
let told = '';

beforeAll(async () => {
  const command = ['dist/cli.js', 'start', '--config', 'samples/rig.json', '--port', '0', '--json'];
  runtime = spawn(process.execPath, command);
  runtime.stderr!.setEncoding('utf8').on('data', (text: string) => (told += text));
  let output = '';
  runtime.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text));
  const isComplete = (): boolean => output.endsWith('}\n');
  while (!isComplete() && runtime.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (!isComplete()) throw new Error(`clmex start ended before it was ready: ${told}`);
  ({ url } = JSON.parse(output) as { url: string });
  browser = await launch();
});

afterAll(async () => {
  await browser.close();
  if (runtime.exitCode === null) {
    runtime.kill('SIGKILL');
    await once(runtime, 'exit');
  }
});

/** What each card shows: `fear 60 %`. */
const cards = (page: Page): Promise<string[]> =>
  page.locator('.person header').evaluateAll((headers) =>
    headers.map((header) => {
      const text = (part: string): string => header.querySelector(part)?.textContent ?? '';
      return `${text('.top')} ${text('.confidence')}`;
    }),
  );

/** Children of a process, and theirs. */
function descendants(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
      } catch {
        return false;
      }
    })
    .map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

describe('the built-in sample', () => {
  test('shows both people with changing scores on the dashboard', async () => {
    const { page, complaints } = await watchedPage(browser, url);
    await page.goto(url);
    await expect.poll(() => page.locator('.person').count(), { timeout: 30_000 }).toBe(2);
    const seen = [new Set<string>(), new Set<string>()];
    await expect
      .poll(
        async () => {
          (await cards(page)).forEach((shown, i) => seen[i]?.add(shown));
          return Math.min(...seen.map(({ size }) => size));
        },
        { timeout: 30_000 },
      )
      .toBeGreaterThan(5);
    await eventually(() => page.locator('.view .note:visible').count()).toBe(0);
    await keepScreenshot(page, 'sample');
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('streams probabilities of both people, seen by several cameras', async () => {
    const client = await connect(url);
    const people = new Map<string, number>();
    for await (const { subjectId, scores, views } of client.scores()) {
      const sum = Object.values(scores).reduce((a, b) => a + b, 0);
      expect(sum).toBeCloseTo(1, 5);
      const weights = views.reduce((total, { weight }) => total + weight, 0);
      expect(weights).toBeCloseTo(1, 5);
      people.set(subjectId, Math.max(views.length, people.get(subjectId) ?? 0));
      if ([...people.values()].filter((most) => most >= 3).length >= 2) break;
    }
    await eventually(() => client.status()?.cameras.length).toBe(4);
    for (const camera of client.status()!.cameras) {
      expect(camera.state).toBe('live');
      expect(camera.faces).toBeGreaterThan(0);
    }
    client.close();
  });

  test('ends with Ctrl-C and leaves no process behind', async () => {
    const children = descendants(runtime.pid!);
    const exit = once(runtime, 'exit');
    runtime.kill('SIGINT');
    expect(await exit).toEqual([0, null]);
    const alive = children.filter((pid) => {
      try {
        process.kill(pid, 0);
        return true;
      } catch {
        return false;
      }
    });
    expect(alive).toEqual([]);
  });
});
