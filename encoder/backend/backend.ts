import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { ClmexError } from '../../core/errors.js';
import { registerForwardGradients } from './gradients.js';
import { registerStraightProducts } from './products.js';
import { registerGradientRules } from './rules.js';

export const BACKENDS = ['node-gpu', 'webgpu', 'onnxruntime', 'wasm', 'cpu'] as const;
export type BackendName = (typeof BACKENDS)[number];

/**
 * Starts a TensorFlow.js backend and makes it current: `wasm` and `cpu` come with the package; with
 * `onnxruntime` it is `wasm`, and training takes the encoder's passes through ONNX Runtime;
 * `node-gpu` and `webgpu` run where `@tensorflow/tfjs-node-gpu`, or `@tensorflow/tfjs-backend-webgpu`
 * with `webgpu`, is installed beside it.
 * @throws ClmexError `unsupported` where the backend cannot start here.
 */
export async function selectBackend(name: BackendName): Promise<void> {
  registerGradientRules();
  const registered = await start(name);
  if (!(await tf.setBackend(registered))) {
    throw new ClmexError('unsupported', 'the backend did not start on this machine', {
      field: 'backend',
      value: name,
      allowed: BACKENDS.join(', '),
    });
  }
  await tf.ready();
}

/** Gives the name under which TensorFlow.js knows the backend. */
async function start(name: BackendName): Promise<string> {
  switch (name) {
    case 'cpu':
      await import('@tensorflow/tfjs-backend-cpu');
      return 'cpu';
    case 'onnxruntime':
    case 'wasm':
      await startWasm();
      return 'wasm';
    case 'node-gpu':
      await optional('@tensorflow/tfjs-node-gpu', name);
      return 'tensorflow';
    case 'webgpu':
      await startWebGpu();
      return 'webgpu';
    default:
      return name satisfies never;
  }
}

/** From the installed package's own files, without any request; SIMD where the machine has it. */
async function startWasm(): Promise<void> {
  const wasm = await import('@tensorflow/tfjs-backend-wasm');
  if ((tf.findBackend('wasm') as object | null) === null) {
    const manifest = createRequire(import.meta.url).resolve(
      '@tensorflow/tfjs-backend-wasm/package.json',
    );
    wasm.setWasmPaths(join(dirname(manifest), 'wasm-out', '/'));
  }
  registerForwardGradients('wasm');
  registerStraightProducts('wasm');
}

/** Dawn's bindings stand in for the browser's `navigator.gpu`. */
async function startWebGpu(): Promise<void> {
  const dawn = (await optional('webgpu', 'webgpu')) as {
    create(flags: string[]): unknown;
    globals: object;
  };
  Object.assign(globalThis, dawn.globals);
  Object.defineProperty(globalThis, 'navigator', {
    value: { gpu: dawn.create([]) },
    configurable: true,
  });
  await optional('@tensorflow/tfjs-backend-webgpu', 'webgpu');
}

async function optional(specifier: string, backend: BackendName): Promise<unknown> {
  try {
    return (await import(specifier)) as unknown;
  } catch (cause) {
    throw new ClmexError('unsupported', `needs the package ${specifier}`, {
      field: 'backend',
      value: backend,
      allowed: `onnxruntime, wasm or cpu, or npm install ${specifier}`,
      cause,
    });
  }
}
