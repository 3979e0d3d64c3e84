import { expect, it } from 'vitest';
import type { RawFrame } from '../../../core/types.js';
import { readTimestamps } from '../../../runtime/camera/timestamps.js';
import { runSync } from '../../../runtime/sync/measure.js';
import { describeWithData, sharedData } from '../../support/shared-data.js';
import { exact } from './streams.js';

describeWithData('the real rigs', () => {
  it.each(['4_cam_recording', 'charuco_calibration'])(
    '%s has all four cameras in nearly all of its sets',
    async (name) => {
      const ids = ['cam_0', 'cam_1', 'cam_2', 'cam_3'];
      const frames: RawFrame[] = [];
      for (const id of ids) {
        const times = await readTimestamps(
          sharedData('caliscope', name, `${id}.timestamps.csv`),
          'timestamps',
        );
        times.forEach((ms, i) => frames.push(exact(id, i, ms, 0)));
      }
      frames.sort((a, b) => a.arrivedAtMs - b.arrivedAtMs);
      const { sets } = runSync(frames, ids);
      const complete = sets.filter(({ set }) => set.missing.size === 0);
      expect(complete.length / sets.length).toBeGreaterThanOrEqual(0.95);
      expect(complete.length).toBeGreaterThanOrEqual(frames.length / 4 - 2);
      const spreads = complete.map(({ set }) => set.spreadMs).sort((a, b) => a - b);
      expect(spreads[Math.floor(spreads.length * 0.95)]).toBeLessThan(40);
    },
  );
});
