// Which camera is out of step, and why are sets incomplete?   node samples/camera-health.mjs
import { connect } from 'clmex';

const client = await connect(process.argv[2] ?? 'http://127.0.0.1:4747');

client.on('status', ({ cameras, frameSets }) => {
  console.log(`${frameSets.complete} of ${frameSets.total} frame sets complete`);
  for (const { cameraId, state, fps, offsetMs = 0, driftPpm = 0, drops } of cameras) {
    const reasons = Object.entries(drops).map(([reason, n]) => `${reason} ${n}`);
    const clock = `${offsetMs.toFixed(1)} ms off, drifts ${driftPpm.toFixed(0)} ppm`;
    console.log(
      `  ${cameraId} ${state} ${fps.toFixed(1)} fps, ${clock}; drops: ${reasons.join(', ') || 'none'}`,
    );
  }
});
