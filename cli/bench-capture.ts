import { mergeCameras, openCamera, Timeline } from '../runtime/camera/index.js';
import { VirtualClock } from '../runtime/clock.js';
import type { Config } from '../runtime/index.js';
import { SyncStage } from '../runtime/sync/index.js';
import { rounded } from './bench-environment.js';

/** Capture with so many cameras: from the files to frame sets, no network run. */
export interface CaptureRow {
  readonly cameras: number;
  /** Of all threads. */
  readonly cpuMsPerSet: number;
}

/** Sets read before the measurement begins. */
const WARM_UP = 4;

/** CPU time of reading, decoding and gathering frame sets, with the first `count` cameras. */
export async function measureCapture(
  config: Config,
  count: number,
  sets: number,
): Promise<CaptureRow> {
  const clock = new VirtualClock();
  const context = { clock, timeline: new Timeline(clock), realtime: false };
  const cameras = await Promise.all(
    config.cameras
      .slice(0, count)
      .map((camera, index) => openCamera(camera, { ...context, index })),
  );
  const sync = new SyncStage({ cameraIds: cameras.map(({ id }) => id), ...config.sync });
  let [done, cpu] = [0, process.cpuUsage()];
  try {
    for await (const event of mergeCameras(cameras, clock)) {
      if (event.kind !== 'frame') continue;
      for (const set of [...sync.poll(clock.nowMs()), ...sync.push(event.frame)]) {
        set.close();
        if (++done === WARM_UP) cpu = process.cpuUsage();
      }
      if (done >= sets + WARM_UP) break;
    }
    const { user, system } = process.cpuUsage(cpu);
    const counted = Math.max(1, done - WARM_UP);
    return { cameras: count, cpuMsPerSet: rounded((user + system) / 1000 / counted) };
  } finally {
    for (const set of sync.close()) set.close();
    await Promise.all(cameras.map((camera) => camera.close()));
  }
}
