import type { Command } from 'commander';
import { ANOTHER_EPOCH_MS, type FrameSet } from '../core/types.js';
import { readArrivals, summarizeFrames } from '../runtime/recording/index.js';
import { SyncStage } from '../runtime/sync/index.js';
import { LineFile } from './line-file.js';
import { printResult } from './output.js';

interface Options {
  readonly out?: string;
  readonly json: boolean;
}

/** `clmex replay`: a recording's frames through their original arrivals into frame sets. */
export function register(program: Command): void {
  program
    .command('replay')
    .description('Replay the times of a recording: what is in it, its clocks and its frame sets.')
    .argument('<recording>', 'an MCAP recording')
    .option('--out <file>', 'write one JSON line a frame set here')
    .option('--json', 'print one JSON document', false)
    .action(run);
}

async function run(path: string, { out, json }: Options): Promise<void> {
  const { rig, ...summary } = await summarizeFrames(path);
  const cameraIds = summary.cameras.map(({ id }) => id);
  const stage = new SyncStage({ cameraIds });
  const file = out === undefined ? undefined : await LineFile.create(out);
  const counts = { total: 0, complete: 0, partial: 0 };
  const take = async (sets: readonly FrameSet[]): Promise<void> => {
    for (const set of sets) {
      counts.total++;
      counts[set.missing.size === 0 ? 'complete' : 'partial']++;
      await file?.write(JSON.stringify(lineOf(set)));
    }
  };
  try {
    const last = new Map<string, number>();
    const frames = await readArrivals(path);
    for (const [i, { cameraId }] of frames.entries()) last.set(cameraId, i);
    for (const [i, frame] of frames.entries()) {
      await take(stage.push({ ...frame, pixels: NO_PIXELS, close: () => undefined }));
      if (last.get(frame.cameraId) === i) await take(stage.cameraEnded(frame.cameraId));
    }
    await take(stage.close());
    await file?.close();
  } catch (error) {
    await file?.discard();
    throw error;
  }
  const clocks = Object.fromEntries(
    cameraIds.map((id) => [
      id,
      { ...stage.clockOf(id), steps: stage.stepsOf(id), drops: stage.dropsOf(id) },
    ]),
  );
  const calibrated = Object.keys(rig?.cameras ?? {});
  const result = { recording: path, ...summary, calibrated, frameSets: counts, clocks };
  printResult(json, result, () => textOf(result));
}

const NO_PIXELS = new Uint8Array(new SharedArrayBuffer(0));

function lineOf(set: FrameSet) {
  const frames = [...set.frames.values()].map((frame) => [
    frame.cameraId,
    {
      sequence: frame.sequence,
      stampMs: frame.stampMs,
      arrivedAtMs: frame.arrivedAtMs,
      capturedAtMs: frame.capturedAtMs,
      uncertaintyMs: frame.uncertaintyMs,
    },
  ]);
  return {
    index: set.index,
    atMs: set.atMs,
    spreadMs: set.spreadMs,
    frames: Object.fromEntries(frames) as Record<string, unknown>,
    missing: Object.fromEntries(set.missing),
  };
}

interface Result {
  readonly recording: string;
  readonly durationMs: number;
  readonly truncated: boolean;
  readonly truths: number;
  readonly calibrated: readonly string[];
  readonly cameras: readonly { id: string; width: number; height: number; frames: number }[];
  readonly frameSets: { total: number; complete: number };
  readonly clocks: Readonly<
    Record<string, { offsetMs?: number; driftPpm?: number; steps: number }>
  >;
}

function textOf(result: Result): string {
  const [first] = result.cameras;
  const zeroMs = result.clocks[first?.id ?? '']?.offsetMs ?? 0;
  const cameras = result.cameras.map(({ id, width, height, frames }) => {
    const { offsetMs = 0, driftPpm = 0, steps = 0 } = result.clocks[id] ?? {};
    const ahead = aheadText(zeroMs - offsetMs);
    const clock = id === first?.id ? '' : `${ahead} of ${first?.id}, `;
    return `  ${id}: ${counted(frames, 'frame')} of ${width} × ${height}, clock ${clock}drifting ${driftPpm.toFixed(0)} ppm${steps === 0 ? '' : `, after ${counted(steps, 'step')}`}`;
  });
  return [
    `${result.recording}: ${(result.durationMs / 1000).toFixed(1)} s${result.truncated ? ', cut off' : ''}`,
    ...cameras,
    `  ${result.frameSets.complete} of ${result.frameSets.total} frame sets complete`,
    `  ${counted(result.calibrated.length, 'camera')} calibrated, ${counted(result.truths, 'instant')} of truth`,
  ].join('\n');
}

const counted = (count: number, what: string): string =>
  `${count} ${what}${count === 1 ? '' : 's'}`;

function aheadText(ms: number): string {
  if (Math.abs(ms) >= ANOTHER_EPOCH_MS) return 'of another epoch than that';
  return `${Math.abs(ms).toFixed(1)} ms ${ms < 0 ? 'behind that' : 'ahead of that'}`;
}
