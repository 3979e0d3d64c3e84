import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { SyncStage } from '../../../runtime/sync/index.js';
import { normalOf, randomOf, rawFrameOf } from '../../../runtime/sync/simulate.js';

it('an hour of frames leaves nothing behind in memory', { timeout: 120_000 }, () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const cameraIds = ['a', 'b', 'c'];
  const stage = new SyncStage({ cameraIds });
  const random = randomOf(5);
  const normal = normalOf(random);
  let sets = 0;
  let open = 0;
  const minutes: number[] = [];
  for (let i = 0; i < 60 * 60 * 30; i++) {
    for (const [at, cameraId] of cameraIds.entries()) {
      if (random() < 0.02) continue;
      const trueMs = (i * 1000) / 30;
      const arrivedAtMs = trueMs + 8 + at + 4 * Math.exp(0.8 * Math.min(1, normal()));
      const stampMs = trueMs * (1 + at * 1e-4) + at * 1000;
      open++;
      const frame = { cameraId, sequence: i, trueMs, stampMs, arrivedAtMs };
      for (const set of stage.push(rawFrameOf(frame, () => open--))) {
        sets++;
        set.close();
      }
    }
    if (i % (10 * 60 * 30) !== 0) continue;
    collect();
    minutes.push(process.memoryUsage().heapUsed);
  }
  expect(sets).toBeGreaterThan(107_000);
  expect(open).toBeLessThan(30);
  // From the tenth minute to the fiftieth, in bytes.
  expect(minutes.at(-1)! - minutes[1]!).toBeLessThan(400_000);
});
