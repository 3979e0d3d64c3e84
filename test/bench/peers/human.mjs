/**
 * human as a child process, on WASM with one thread, its caches off, detector and mesh; arguments:
 * faces at most, `emotion` for expressions too. {run:
 * pixels, width, height, count} answers with the milliseconds of each whole picture and the number
 * of faces.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [faces = '4', emotion = 'off'] = process.argv.slice(2);
const require = createRequire(import.meta.url);
// Its console lines would mix with the benchmark's document.
console.log = (...parts) => process.stderr.write(`${parts.join(' ')}\n`);
// Node's fetch does not read files, from which its models come.
globalThis.fetch = async (url) => {
  const bytes = await readFile(fileURLToPath(String(url)));
  const type = String(url).endsWith('.json') ? 'application/json' : 'application/octet-stream';
  return new Response(bytes, { headers: { 'content-type': type } });
};
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');
// Its Node entry chooses tensorflow's native build; the WASM one lies beside it, not exported.
const entry = join(dirname(require.resolve('@vladmandic/human')), 'human.node-wasm.js');
const { Human } = require(entry);

wasm.setThreadsCount(1);
const wasmFolder = `${dirname(require.resolve('@tensorflow/tfjs-backend-wasm'))}/`;
wasm.setWasmPaths(wasmFolder);
const human = new Human({
  backend: 'wasm',
  wasmPath: wasmFolder,
  modelBasePath: `file://${join(dirname(entry), '..', 'models')}/`,
  debug: false,
  cacheSensitivity: 0,
  warmup: 'none',
  filter: { enabled: false },
  gesture: { enabled: false },
  body: { enabled: false },
  hand: { enabled: false },
  object: { enabled: false },
  segmentation: { enabled: false },
  face: {
    enabled: true,
    detector: { maxDetected: Number(faces), skipFrames: 0, skipTime: 0, rotation: false },
    mesh: { enabled: true },
    iris: { enabled: false },
    attention: { enabled: false },
    description: { enabled: false },
    emotion: { enabled: emotion === 'emotion', minConfidence: 0, skipFrames: 0, skipTime: 0 },
    antispoof: { enabled: false },
    liveness: { enabled: false },
  },
});
await human.load();

async function run({ run: pixels, width, height, count }) {
  const times = [];
  let faces = 0;
  for (let i = 0; i < count; i++) {
    const from = performance.now();
    const tensor = human.tf.tensor3d(pixels, [height, width, 3], 'int32');
    const result = await human.detect(tensor);
    times.push(performance.now() - from);
    tensor.dispose();
    if (result.error) throw new Error(result.error);
    faces = result.face.filter(({ mesh }) => mesh.length > 0).length;
  }
  return { times, faces };
}

process.on('message', (message) => {
  run(message).then(
    (result) => process.send({ id: message.id, result }),
    (error) => process.send({ id: message.id, error: String(error?.stack ?? error) }),
  );
});
process.on('disconnect', () => process.exit(0));
process.send({ id: 0, result: { backend: human.tf.getBackend(), version: tf.version_core } });
