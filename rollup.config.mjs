import { cpSync, readFileSync, rmSync } from 'node:fs';
import commonjs from '@rollup/plugin-commonjs';
import json from '@rollup/plugin-json';
import resolve from '@rollup/plugin-node-resolve';
import terser from '@rollup/plugin-terser';
import typescript from '@rollup/plugin-typescript';
import { assemblyscript } from './scripts/assemblyscript.mjs';

const { dependencies, peerDependencies = {} } = JSON.parse(readFileSync('package.json', 'utf8'));
const packages = [...Object.keys(dependencies), ...Object.keys(peerDependencies)];
const external = (id) =>
  id.startsWith('node:') || packages.some((name) => id === name || id.startsWith(`${name}/`));

const compile = (tsconfig) =>
  typescript({ tsconfig, noEmitOnError: true, outputToFilesystem: false });

const copy = (from, to) => ({
  name: 'copy',
  writeBundle: () => cpSync(from, to, { recursive: true }),
});

/** Chunks carry hashes: those of earlier builds would stay, and be packed. */
const fresh = {
  name: 'fresh',
  renderStart: () => rmSync('dist/chunks', { recursive: true, force: true }),
};

/** Node and bundler entries: ESM, dependencies stay imports, common code in shared chunks. */
const library = {
  input: {
    sdk: 'sdk/index.ts',
    react: 'sdk/react.ts',
    runtime: 'runtime/index.ts',
    calibration: 'calibration/index.ts',
    training: 'training/index.ts',
    cli: 'cli/main.ts',
    'inference-worker': 'runtime/inference/worker.ts',
    'training-worker': 'training/parallel/worker.ts',
    'pictures-worker': 'runtime/camera/pictures-worker.ts',
  },
  output: {
    dir: 'dist',
    format: 'es',
    sourcemap: true,
    chunkFileNames: 'chunks/[name]-[hash].js',
    banner: (chunk) => (chunk.name === 'cli' ? '#!/usr/bin/env node' : ''),
  },
  external,
  plugins: [
    fresh,
    assemblyscript(),
    compile('tsconfig.build.json'),
    json(),
    resolve({ preferBuiltins: true }),
  ],
};

/** The SDK for a <script> tag: everything inside, one global `clmex`. */
const umd = {
  input: 'sdk/index.ts',
  output: { file: 'dist/clmex.umd.js', format: 'umd', name: 'clmex', sourcemap: true },
  plugins: [compile('tsconfig.browser.json'), resolve({ browser: true }), commonjs(), terser()],
};

const dashboard = {
  input: 'dashboard/main.ts',
  output: { file: 'dist/dashboard/main.js', format: 'es', sourcemap: true },
  plugins: [
    compile('tsconfig.browser.json'),
    resolve({ browser: true }),
    commonjs(),
    terser(),
    copy('dashboard/static', 'dist/dashboard'),
  ],
};

export default [library, umd, dashboard];
