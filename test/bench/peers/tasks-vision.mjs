/**
 * tasks-vision's FaceLandmarker as a child process: headless Chromium, CPU, with blendshapes.
 * Arguments: the face_landmarker.task file, faces at most. Answers like human.mjs. The page's files
 * come from this process and every other request is refused: the library reports to its vendor.
 */
/* global atob, ImageData */
import { Buffer } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { chromium } from 'playwright-core';

const [task, faces = '4'] = process.argv.slice(2);
const ORIGIN = 'http://tasks-vision.invalid';
const TYPES = { '.mjs': 'text/javascript', '.js': 'text/javascript', '.wasm': 'application/wasm' };
const library = dirname(createRequire(import.meta.url).resolve('@mediapipe/tasks-vision'));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  // No name resolves: what gets past the page's routes reaches nobody.
  args: ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND'],
});
process.on('disconnect', () => void browser.close().then(() => process.exit(0)));
const page = await browser.newPage();
const refused = [];
await page.route('**/*', async (route) => {
  const { origin, pathname } = new URL(route.request().url());
  if (origin !== ORIGIN) {
    refused.push(origin);
    return route.abort();
  }
  if (pathname === '/') return route.fulfill({ contentType: 'text/html', body: '' });
  const path = pathname === '/model.task' ? task : join(library, pathname);
  const contentType = TYPES[extname(path)] ?? 'application/octet-stream';
  return route.fulfill({ contentType, body: await readFile(path) });
});
await page.goto(`${ORIGIN}/`);
await page.evaluate(async (numFaces) => {
  const { FaceLandmarker } = await import('/vision_bundle.mjs');
  const fileset = {
    wasmLoaderPath: '/wasm/vision_wasm_internal.js',
    wasmBinaryPath: '/wasm/vision_wasm_internal.wasm',
  };
  globalThis.landmarker = await FaceLandmarker.createFromOptions(fileset, {
    baseOptions: { modelAssetPath: '/model.task', delegate: 'CPU' },
    runningMode: 'IMAGE',
    numFaces,
    outputFaceBlendshapes: true,
  });
}, Number(faces));

/** Only the library's own work is timed; the picture lies in the page before. */
const detect = ({ base64, width, height, count }) => {
  const rgb = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const picture = new ImageData(width, height);
  picture.data.fill(255);
  for (let i = 0; i < width * height; i++) picture.data.set(rgb.subarray(3 * i, 3 * i + 3), 4 * i);
  const times = [];
  let faces = 0;
  for (let i = 0; i < count; i++) {
    const from = performance.now();
    faces = globalThis.landmarker.detect(picture).faceLandmarks.length;
    times.push(performance.now() - from);
  }
  return { times, faces };
};

process.on('message', ({ id, run: pixels, width, height, count }) => {
  const base64 = Buffer.from(pixels).toString('base64');
  page.evaluate(detect, { base64, width, height, count }).then(
    (result) => process.send({ id, result: { ...result, refused: refused.length } }),
    (error) => process.send({ id, error: String(error?.stack ?? error) }),
  );
});
process.send({ id: 0, result: {} });
