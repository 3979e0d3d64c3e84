import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import type { RuntimeStatus } from '../core/protocol.js';
import type { ExpressionScores } from '../core/types.js';
import { rounded, spreadOf, type Spread } from './bench-environment.js';
import { lineThrough } from './bench-line.js';

type Status = Pick<RuntimeStatus, 'cameras' | 'drops' | 'frameSets'>;

/** One second of a run. */
export interface Sample {
  /** Since the measurement began. */
  readonly second: number;
  readonly captureToScoreMs: Spread;
  readonly frameSets: number;
  readonly memoryMiB: number;
  /** Of all threads of the process; 1 is one core. */
  readonly cpuCores: number;
}

export interface Measured {
  readonly seconds: number;
  /** Frames of all cameras together that came in. */
  readonly framesPerSecond: number;
  readonly frameSetsPerSecond: number;
  readonly scoresPerSecond: number;
  readonly droppedFraction: number;
  readonly drops: Readonly<Record<string, number>>;
  readonly captureToScoreMs: Spread;
  readonly stagesMs: Readonly<Record<string, Spread>>;
  readonly eventLoopDelayMs: Spread;
  readonly cpuCoresPerCamera: number;
  readonly memoryMiBPerCamera: number;
  /** Memory at the end over memory at a tenth of the run. */
  readonly memoryGrowth: number;
  /**
   * How much the median of capture to score rises in a minute, by a line through the seconds'; null of a
   * run shorter than that, whose line says nothing.
   */
  readonly driftMsPerMinute: number | null;
  readonly samples: readonly Sample[];
}

const MEBIBYTE = 2 ** 20;
const LEAST_DRIFT_SECONDS = 60;

/** Counts what a runtime does between its construction and `finish`. */
export class Meter {
  readonly #nowMs: () => number;
  readonly #before: Counters;
  readonly #startedMs = performance.now();
  readonly #cpuStart = process.cpuUsage();
  readonly #loop: IntervalHistogram;
  readonly #latencies: number[] = [];
  readonly #stages = new Map<string, number[]>();
  readonly #samples: Sample[] = [];
  #recent: number[] = [];
  #cpu = process.cpuUsage();
  #sampledMs = performance.now();
  #scores = 0;

  /** @param nowMs the runtime's clock. */
  constructor(nowMs: () => number, status: Status) {
    this.#nowMs = nowMs;
    this.#before = countersOf(status);
    this.#loop = monitorEventLoopDelay({ resolution: 5 });
    this.#loop.enable();
  }

  /** The people of one frame set; a set without people tells nothing of latency. */
  scores(scores: readonly ExpressionScores[]): void {
    const [first] = scores;
    if (first === undefined) return;
    const latency = this.#nowMs() - first.atMs;
    this.#latencies.push(latency);
    this.#recent.push(latency);
    this.#scores += scores.length;
    for (const [stage, ms] of Object.entries(first.stageMs)) {
      const found = this.#stages.get(stage) ?? [];
      this.#stages.set(stage, found);
      found.push(ms);
    }
  }

  /** Closes a second. */
  sample(): void {
    const now = performance.now();
    const spent = process.cpuUsage(this.#cpu);
    this.#samples.push({
      second: Math.round((now - this.#startedMs) / 1000),
      captureToScoreMs: spreadOf(this.#recent),
      frameSets: this.#recent.length,
      memoryMiB: rounded(process.memoryUsage.rss() / MEBIBYTE),
      cpuCores: rounded((spent.user + spent.system) / 1000 / (now - this.#sampledMs)),
    });
    this.#recent = [];
    this.#cpu = process.cpuUsage();
    this.#sampledMs = now;
  }

  finish(status: Status): Measured {
    this.#loop.disable();
    const seconds = (performance.now() - this.#startedMs) / 1000;
    const after = countersOf(status);
    const cameras = Math.max(1, status.cameras.length);
    const frames = after.frames - this.#before.frames;
    const drops = difference(after.drops, this.#before.drops);
    const dropped = Object.values(drops).reduce((sum, count) => sum + count, 0);
    const spent = process.cpuUsage(this.#cpuStart);
    const memory = this.#samples.map(({ memoryMiB }) => memoryMiB);
    const settled = memory[Math.floor(memory.length / 10)] ?? 0;
    const last = memory.at(-1) ?? 0;
    return {
      seconds: rounded(seconds),
      framesPerSecond: rounded(frames / seconds),
      frameSetsPerSecond: rounded((after.sets - this.#before.sets) / seconds),
      scoresPerSecond: rounded(this.#scores / seconds),
      droppedFraction: frames === 0 ? 0 : rounded(dropped / frames),
      drops,
      captureToScoreMs: spreadOf(this.#latencies),
      stagesMs: Object.fromEntries([...this.#stages].map(([name, all]) => [name, spreadOf(all)])),
      eventLoopDelayMs: this.#loopDelay(),
      cpuCoresPerCamera: rounded((spent.user + spent.system) / 1e6 / seconds / cameras),
      memoryMiBPerCamera: rounded(last / cameras),
      memoryGrowth: settled === 0 ? 1 : rounded(last / settled),
      driftMsPerMinute: seconds < LEAST_DRIFT_SECONDS ? null : rounded(60 * this.#slope()),
      samples: this.#samples,
    };
  }

  #slope(): number {
    const medians = this.#samples
      .filter(({ frameSets }) => frameSets > 0)
      .map(({ second, captureToScoreMs }) => [second, captureToScoreMs.p50] as const);
    return medians.length < 2 ? 0 : lineThrough(medians).slope;
  }

  /** Beyond the histogram's own interval, which every value contains. */
  #loopDelay(): Spread {
    const at = (share: number): number =>
      rounded(Math.max(0, this.#loop.percentile(share) / 1e6 - 5));
    return { p50: at(50), p95: at(95), p99: at(99), max: at(100) };
  }
}

interface Counters {
  readonly frames: number;
  readonly sets: number;
  readonly drops: Readonly<Record<string, number>>;
}

function countersOf({ cameras, drops, frameSets }: Status): Counters {
  const all = new Map(Object.entries(drops));
  for (const camera of cameras) {
    for (const [reason, count] of Object.entries(camera.drops))
      all.set(reason, (all.get(reason) ?? 0) + count);
  }
  return {
    frames: cameras.reduce((sum, camera) => sum + camera.frames, 0),
    sets: frameSets.total,
    drops: Object.fromEntries(all),
  };
}

function difference(
  after: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after)
      .map(([reason, count]): [string, number] => [reason, count - (before[reason] ?? 0)])
      .filter(([, count]) => count > 0),
  );
}
