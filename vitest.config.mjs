import { defineConfig } from 'vitest/config';
import { assemblyscript } from './scripts/assemblyscript.mjs';

export default defineConfig({
  plugins: [assemblyscript()],
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Tests that load ONNX Runtime themselves send nothing home either.
    env: { ORT_DISABLE_TELEMETRY: '1' },
    // One file after the other: the programs under test need the machine's other cores.
    fileParallelism: false,
    // The machine may be busy: what is waited for may take its time, and fails all the same.
    expect: { poll: { timeout: 15_000 } },
  },
});
