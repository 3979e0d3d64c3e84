import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe } from 'vitest';

const root = resolve(process.env['CLMEX_DATA'] ?? '../shared/data');

/** Path inside the test data that lies beside the project (CLMEX_DATA, default ../shared/data). */
export function sharedData(...parts: string[]): string {
  return resolve(root, ...parts);
}

/**
 * `describe` for suites that need the shared data: skips with a line that says so where the data is
 * absent, and fails under CI=true.
 */
export function describeWithData(name: string, suite: () => void): void {
  if (existsSync(root)) {
    describe(name, suite);
  } else if (process.env['CI'] === 'true') {
    describe(name, () => {
      throw new Error(`test data missing at ${root}; set CLMEX_DATA`);
    });
  } else {
    console.warn(`SKIPPED ${name}: no test data at ${root} (set CLMEX_DATA)`);
    describe.skip(name, suite);
  }
}
