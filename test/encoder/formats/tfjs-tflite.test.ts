import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../../encoder/index.js';
import { createOnnxRuntime } from '../../../runtime/engine/onnxruntime.js';
import { launch } from '../../e2e/browser.js';
import { faceLikeCrops, inputsOf } from '../quantise/calibration.js';

const PEERS = fileURLToPath(new URL('../../bench/peers/node_modules/', import.meta.url));
const MODELS = fileURLToPath(new URL('../../../models/', import.meta.url));
const installed = existsSync(join(PEERS, '@tensorflow/tfjs-tflite'));
if (!installed) console.warn('tfjs-tflite is not installed (npm install --prefix test/bench/peers): skipped'); // prettier-ignore

const PAGE = `<!doctype html><script src="/peers/@tensorflow/tfjs/dist/tf.min.js"></script>
<script src="/peers/@tensorflow/tfjs-tflite/dist/tf-tflite.min.js"></script>`;

/** Bench-only package: beside the checkout's tests, not among what they need. */
describe.skipIf(!installed)('the int8 .tflite file on tfjs-tflite in Chromium', () => {
  let server: Server;
  let browser: Browser;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const path = normalize(new URL(request.url ?? '/', 'http://x').pathname);
      const file = path.startsWith('/peers/') ? join(PEERS, path.slice(7)) : path.startsWith('/models/') ? join(MODELS, path.slice(8)) : undefined; // prettier-ignore
      const type = path.endsWith('.js') ? 'text/javascript' : path.endsWith('.wasm') ? 'application/wasm' : 'application/octet-stream'; // prettier-ignore
      if (file === undefined) {
        response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE);
        return;
      }
      readFile(file).then(
        (bytes) => response.writeHead(200, { 'content-type': type }).end(bytes),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    browser = await launch();
  });
  afterAll(async () => {
    await browser.close();
    server.close();
  });

  it.each(['clmex-small', 'clmex-trio'])(
    'embeds %s as its int8 .onnx file on ONNX Runtime does',
    async (name) => {
      const crops = inputsOf(faceLikeCrops(4, 6));
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      const got = await page.evaluate(`(async (crops) => {
      tflite.setWasmPath('/peers/@tensorflow/tfjs-tflite/wasm/');
      const model = await tflite.loadTFLiteModel('/models/${name}/int8.tflite', { numThreads: 1 });
      const all = [];
      for (let i = 0; i < 4; i++) {
        const out = model.predict(tf.tensor(crops.slice(i * 4096, (i + 1) * 4096), [1, 64, 64, 1]));
        all.push(...(out.dataSync ? out : Object.values(out)[0]).dataSync());
      }
      return all;
    })(${JSON.stringify([...crops])})`);
      const engine = createOnnxRuntime(1);
      const model = await loadModel(join(MODELS, name));
      const session = await engine.load(model.variants.get('int8.onnx')!, 'int8');
      const feeds = { [model.graph.inputs[0]!.name]: { data: crops, shape: [4, 64, 64, 1] } };
      const expected = (await session.run(feeds))[model.graph.outputs[0]!.name]!.data;
      await session.close();
      expect(got).toHaveLength(expected.length);
      (got as number[]).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 2));
    },
  );
});
