import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    // The machine may be busy: what is waited for may take its time, and fails all the same.
    expect: { poll: { timeout: 15_000 } },
  },
});
