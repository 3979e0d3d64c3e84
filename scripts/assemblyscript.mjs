// Rollup and Vite plugin: `import bytes from './assembly/x.ts?wasm'` gives the WebAssembly of an
// AssemblyScript source in base64.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import asc from 'assemblyscript/asc';

const SUFFIX = '?wasm';

async function compile(source) {
  const folder = await mkdtemp(join(tmpdir(), 'clmex-wasm-'));
  const target = join(folder, 'module.wasm');
  try {
    const { error, stderr } = await asc.main([
      source, '--outFile', target, '--baseDir', '/', '-O3', '--enable', 'simd',
      '--runtime', 'stub', '--importMemory', '--noAssert',
    ]); // prettier-ignore
    if (error) throw new Error(`${source}: ${stderr.toString()}`);
    return await readFile(target, 'base64');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const assemblyscript = () => ({
  name: 'assemblyscript',
  enforce: 'pre',
  resolveId: (id, importer) =>
    id.endsWith(SUFFIX) && importer !== undefined ? resolve(dirname(importer), id) : null,
  async load(id) {
    if (!id.endsWith(SUFFIX)) return null;
    const source = id.slice(0, -SUFFIX.length);
    this.addWatchFile?.(source);
    return `export default ${JSON.stringify(await compile(source))};`;
  },
});
