/**
 * LiteRT.js as a child process: {load: {name: file}} then {run: name, input, shape, count}; answers
 * with the milliseconds of each run and the last outputs. It is written for browsers; what it misses
 * in Node is supplied here.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

const require = createRequire(import.meta.url);
const folder = join(dirname(require.resolve('@litertjs/core/package.json')), 'wasm');

globalThis.self = globalThis;
globalThis.location = { href: `file://${folder}/` };
globalThis.__dirname = folder;
globalThis.__filename = join(folder, 'litert_wasm_internal.js');
globalThis.require = require;
// MediaPipe-style loaders call importScripts in workers; here the file runs in this context.
globalThis.importScripts = (url) => {
  const path = fileURLToPath(new URL(String(url), globalThis.location.href));
  vm.runInThisContext(require('node:fs').readFileSync(path, 'utf8'), { filename: path });
};
const webFetch = globalThis.fetch;
globalThis.fetch = async (url, options) => {
  const address = String(url);
  if (!address.startsWith('file:') && !address.startsWith('/')) return webFetch(url, options);
  const bytes = await readFile(address.startsWith('file:') ? fileURLToPath(address) : address);
  const type = address.endsWith('.wasm') ? 'application/wasm' : 'application/octet-stream';
  return new Response(bytes, { headers: { 'content-type': type } });
};

const { loadAndCompile, loadLiteRt, Tensor } = await import('@litertjs/core');
await loadLiteRt(`file://${folder}/`, { threads: false });
const models = new Map();

async function run({ run: name, input, shape, count }) {
  const model = models.get(name);
  const times = [];
  let outputs = [];
  for (let i = 0; i < count; i++) {
    const from = performance.now();
    const tensor = new Tensor(input, shape);
    const results = await model.run([tensor]);
    outputs = await Promise.all(
      results.map(async (result) => Float32Array.from(await result.data())),
    );
    times.push(performance.now() - from);
    tensor.delete();
    for (const result of results) result.delete();
  }
  return { times, outputs };
}

process.on('message', (message) => {
  const answer = async () => {
    if (message.load === undefined) return run(message);
    for (const [name, file] of Object.entries(message.load))
      models.set(
        name,
        await loadAndCompile(new Uint8Array(await readFile(file)), { accelerator: 'wasm' }),
      );
    return {};
  };
  answer().then(
    (result) => process.send({ id: message.id, result }),
    (error) => process.send({ id: message.id, error: String(error?.stack ?? error) }),
  );
});
process.on('disconnect', () => process.exit(0));
process.send({ id: 0, result: {} });
