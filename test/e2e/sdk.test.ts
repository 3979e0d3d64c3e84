import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../runtime/stream/eventually.js';
import type { ExpressionScores } from '../../core/types.js';
import type { StreamServer } from '../../runtime/stream/index.js';
import type * as Sdk from '../../sdk/index.js';
import { scoreOf, serve } from '../runtime/stream/scripted.js';
import { launch } from './browser.js';

declare global {
  /** What the UMD file leaves in a page. */
  var clmex: typeof Sdk;
  var got: ExpressionScores[];
}

const COUNT = 20;

/** Prints every score it gets as a line of JSON; imports the package by its name, as users do. */
const PROGRAM = `
  import { connect } from 'clmex';
  const client = await connect(process.argv[1]);
  console.log('ready');
  let n = 0;
  for await (const score of client.scores({ buffer: 100 })) {
    console.log(JSON.stringify(score));
    if (++n === ${COUNT * 2}) break;
  }
  client.close();
`;

let browser: Browser;
let pages: Server;
let server: StreamServer;

beforeAll(async () => {
  const umd = readFileSync('dist/clmex.umd.js');
  pages = createServer((request, response) => {
    const isScript = request.url === '/clmex.umd.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? umd : '<!doctype html><script src="clmex.umd.js"></script>');
  });
  await once(pages.listen(0, '127.0.0.1'), 'listening');
  [browser, server] = await Promise.all([launch(), serve()]);
});

afterAll(async () => {
  await Promise.all([browser.close(), server.close()]);
  pages.closeAllConnections();
  pages.close();
});

describe('one runtime, a page and a program', () => {
  test('receive the same scores', async () => {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}`);
    await page.evaluate(async (url) => {
      globalThis.got = [];
      const client = await clmex.connect(url);
      client.on('scores', (score) => globalThis.got.push(score));
    }, server.url);

    const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, server.url]);
    // Listened for from the start: the program may end before the last publication returns.
    const closed = once(child, 'close') as Promise<[number]>;
    const lines = linesOf(child);
    await eventually(() => lines[0]).toBe('ready');

    const sent: ExpressionScores[] = [];
    for (let n = 0; n < COUNT; n++) {
      const people = [scoreOf('p1', n * 66), scoreOf('p2', n * 66 + 900, ['front'])];
      sent.push(...people);
      server.publishScores(people);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }

    const [code] = await closed;
    expect(code).toBe(0);
    const inProgram = lines.slice(1).map((line) => JSON.parse(line) as ExpressionScores);
    const inPage = await page.evaluate(() => globalThis.got);
    expect(inProgram).toEqual(sent);
    expect(inPage).toEqual(sent);
    await page.close();
  });

  test('a page gets a typed error as a program does', async () => {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}`);
    const error = await page.evaluate(async (url) => {
      const client = await clmex.connect(url);
      return client.subscribe({ cameras: ['front'] }).catch((failure: unknown) => {
        const { code, field } = failure as Sdk.ClmexError;
        return { code, field, isOurs: failure instanceof clmex.ClmexError };
      });
    }, server.url);
    expect(error).toEqual({ code: 'unauthorized', field: 'cameras', isOurs: true });
    await page.close();
  });
});

function linesOf(child: ChildProcess): string[] {
  const lines: string[] = [];
  let rest = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop()!;
    lines.push(...parts);
  });
  child.stderr!.pipe(process.stderr);
  return lines;
}
