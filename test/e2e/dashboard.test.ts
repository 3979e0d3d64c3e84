import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../runtime/stream/eventually.js';
import type { StreamServer, StreamServerOptions } from '../../runtime/stream/index.js';
import { CAMERAS, previewOf, scoreOf, serve, statusAt } from '../runtime/stream/scripted.js';
import { keepScreenshot, launch, watchedPage, type Watched } from './browser.js';

const TOKEN = 'a-token-of-16-characters';

let browser: Browser;
let server: StreamServer;
let timer: NodeJS.Timeout | undefined;

beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());
afterEach(async () => {
  clearInterval(timer);
  await Promise.all(browser.contexts().map((context) => context.close()));
  await server.close();
});

async function open(options: Partial<StreamServerOptions> = {}): Promise<Watched> {
  server = await serve({ dashboardDirectory: 'dist/dashboard', ...options });
  const watched = await watchedPage(browser, server.url);
  await watched.page.goto(server.url);
  return watched;
}

/** Two people whose expressions change, at 15 a second. */
async function play(): Promise<void> {
  const jpeg = await sharp({
    create: { width: 320, height: 180, channels: 3, background: '#345' },
  })
    .jpeg()
    .toBuffer();
  let n = 0;
  timer = setInterval(() => {
    const atMs = n++ * 66;
    const other = scoreOf('p2', atMs + 2200, ['front', 'right']);
    server.publishScores([scoreOf('p1', atMs), { ...other, atMs }]);
    for (const id of CAMERAS) server.publishPreview(previewOf(id, atMs, jpeg));
    if (n % 8 === 1) server.publishStatus(statusAt(atMs));
  }, 66);
}

const connectionOf = (page: Page): Promise<string | null> =>
  page.locator('#connection').textContent();

/** What a card shows: `fear 60 %`. */
async function shown(page: Page, subjectId: string): Promise<string> {
  const card = page.locator(`[data-subject="${subjectId}"]`);
  const [top, confidence] = await Promise.all([
    card.locator('.top').textContent(),
    card.locator('.confidence').textContent(),
  ]);
  return `${top ?? ''} ${confidence ?? ''}`;
}

describe('the dashboard', () => {
  test('says so when nobody is there', async () => {
    const { page, complaints } = await open();
    await eventually(() => connectionOf(page)).toBe('live');
    await eventually(() => page.locator('#people').textContent()).toContain('Nobody here');
    await keepScreenshot(page, 'empty');
    expect(complaints).toEqual([]);
  });

  test('shows everybody, with scores that change, and asks nobody but the runtime', async () => {
    const { page, complaints } = await open({ previews: true });
    await play();
    const seen = { p1: new Set<string>(), p2: new Set<string>() };
    for (const id of ['p1', 'p2'] as const) {
      await page.locator(`[data-subject="${id}"]`).waitFor();
      await eventually(async () => seen[id].add(await shown(page, id)).size).toBeGreaterThan(5);
    }
    expect([...seen.p1].join()).toMatch(/(happiness|anger|fear|sadness|disgust|surprise) \d+ %/);
    await keepScreenshot(page, 'scripted');
    expect(complaints).toEqual([]);
  });

  test('shows what each view contributes and how each camera’s clock is', async () => {
    const { page } = await open();
    await play();
    const second = page.locator('[data-subject="p2"] .dial');
    await eventually(() => second.allTextContents()).toEqual([
      'leftunseen', 'front50 %−40°', 'right50 %0°',
    ]); // prettier-ignore
    const front = page.locator('tr[data-camera="front"] td');
    await eventually(() => front.allTextContents()).toEqual([
      'front', '15.0', '0.0 ms ± 0.8 ms', '+10 ppm', '1.7', 'late 1', 'late 1',
    ]); // prettier-ignore
    const clocks = page.locator('.cameras tbody td:nth-child(3)');
    expect(await clocks.allTextContents()).toEqual([
      '−12.5 ms ± 0.8 ms',
      '0.0 ms ± 0.8 ms',
      '+12.5 ms ± 0.8 ms',
    ]);
    expect(await page.locator('#sets').textContent()).toContain('92 %');
    expect(await page.locator('#stages').textContent()).toContain('9.0 · 14.0 ms');
  });

  test('shows pictures where the runtime sends them and says why not elsewhere', async () => {
    const { page } = await open({ previews: true });
    await play();
    const view = page.locator('[data-camera="front"]').first();
    await eventually(() => view.locator('.note').isHidden()).toBe(true);
    const inked = await view.locator('canvas').evaluate((canvas) => {
      const { width, height } = canvas as HTMLCanvasElement;
      const context = (canvas as HTMLCanvasElement).getContext('2d')!;
      const { data } = context.getImageData(0, 0, width, height);
      return data.some((value) => value > 150);
    });
    expect(inked).toBe(true);
    clearInterval(timer);
    await server.close();

    const { page: other } = await open();
    const note = other.locator('.view .note').first();
    await eventually(() => note.textContent()).toBe('pictures stay on the device');
  });

  test('says when the runtime is gone and goes on when it is back', async () => {
    const { page } = await open();
    server.publishScores([scoreOf('p1', 1)]);
    await page.locator('[data-subject="p1"]').waitFor();
    const port = Number(new URL(server.url).port);
    await server.close();
    await eventually(() => connectionOf(page)).toBe('reconnecting');
    await eventually(() => page.locator('#banner').isVisible()).toBe(true);
    await keepScreenshot(page, 'disconnected');
    server = await serve({ dashboardDirectory: 'dist/dashboard', stream: { port } });
    await eventually(() => connectionOf(page)).toBe('live');
    await eventually(() => page.locator('#people').textContent()).toContain('Nobody here');
  });

  test('asks for a token where one is needed', async () => {
    const { page } = await open({ stream: { tokens: [{ token: TOKEN, role: 'viewer' }] } });
    const input = page.locator('#token input');
    await input.waitFor();
    await input.fill('wrong-token-0123456789');
    await input.press('Enter');
    await eventually(() => page.locator('#token .reason').textContent()).toContain('unknown token');
    await keepScreenshot(page, 'token');
    await input.fill(TOKEN);
    await input.press('Enter');
    await eventually(() => connectionOf(page)).toBe('live');
    expect(await page.locator('#token').isHidden()).toBe(true);
  });

  test('takes a token from the address and hides it', async () => {
    server = await serve({
      dashboardDirectory: 'dist/dashboard',
      stream: { tokens: [{ token: TOKEN, role: 'operator' }] },
    });
    const { page } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/#token=${TOKEN}`);
    await eventually(() => connectionOf(page)).toBe('live');
    expect(page.url()).not.toContain(TOKEN);
  });
});

describe('its server', () => {
  test('allows the page its own origin alone', async () => {
    await open();
    const response = await fetch(server.url);
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:|data:|blob:/);
    for (const path of ['/../package.json', '/%2e%2e/package.json', '/nothing', '//etc/passwd']) {
      expect((await fetch(server.url + path)).status).toBe(404);
    }
    expect((await fetch(server.url, { method: 'POST' })).status).toBe(405);
    const foreign = await fetch(server.url, { headers: { origin: 'https://evil.example' } });
    expect(foreign.status).toBe(403);
  });
});
