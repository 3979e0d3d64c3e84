import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Option, type Command } from 'commander';
import { ClmexError } from '../core/errors.js';
import { EXPRESSION_LABELS } from '../core/types.js';
import { BACKENDS, selectBackend } from '../encoder/backend/backend.js';
import { TRAINING_PROVIDERS } from '../encoder/backend/onnxruntime.js';
import { NETWORKS, type NetworkName } from '../encoder/network.js';
import { Random } from '../encoder/random.js';
import { readDrawn } from '../training/batch.js';
import { listedGroups } from '../training/index.js';
import { createLearner } from '../training/learner.js';
import { startDifferentiator } from '../training/parallel/differentiator.js';
import { parseRecipe, type Recipe } from '../training/recipe.js';
import { stepRandom } from '../training/sampler.js';
import { environment } from './bench-environment.js';
import { integer, notice, printResult } from './output.js';

interface Options {
  readonly network: string;
  readonly backend: string;
  readonly provider: string;
  readonly threads: number;
  readonly steps: number;
  readonly torch?: string;
  readonly json: boolean;
}

const [GROUPS, VIEWS, SIZE] = [16, 4, 64];
const WARM_UP = 2;

/** `clmex bench train`: images a second of pre-training, and PyTorch's on the same network. */
export function register(bench: Command): void {
  bench
    .command('train')
    .description('Images a second of pre-training: augmentation, both passes, batches of 64.')
    .option('--network <name>', Object.keys(NETWORKS).join(' or '), 'small')
    .option('--backend <name>', BACKENDS.join(', '), 'onnxruntime')
    .addOption(
      new Option('--provider <name>', 'where onnxruntime runs the encoder')
        .choices(TRAINING_PROVIDERS)
        .default('cpu'),
    )
    .option(
      '--threads <n>',
      'threads, of onnxruntime and PyTorch; worker processes on wasm and cpu',
      integer('--threads', 1, 64),
      1,
    )
    .option('--steps <n>', 'to measure, after two to warm up', integer('--steps', 1, 1000), 8)
    .option(
      '--torch <script>',
      'test/bench/peers/torch_train.py: also measures PyTorch of /usr/bin/python3',
    )
    .option('--json', 'print one JSON document', false)
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { network, backend, provider, threads, steps } = options;
  if (!(network in NETWORKS) || !(BACKENDS as readonly string[]).includes(backend)) {
    throw new ClmexError('invalid-argument', 'unknown network or backend', {
      field: '--network, --backend',
      value: `${network}, ${backend}`,
      allowed: `${Object.keys(NETWORKS).join(' or ')}; ${BACKENDS.join(', ')}`,
    });
  }
  const recipe = parseRecipe({
    stage: 'pretrain',
    geometry: false,
    network,
    backend,
    provider,
    workers: threads,
  });
  const secondsPerStep = await ownSeconds(recipe, steps);
  const own = (GROUPS * VIEWS) / secondsPerStep;
  const peer = options.torch === undefined ? undefined : await torchRate(options.torch, options);
  const result = {
    kind: 'train',
    ...environment(),
    network,
    backend,
    provider,
    threads,
    batch: GROUPS * VIEWS,
    imagesPerSecond: own,
    ...(peer && { torch: peer, overTorch: own / peer.imagesPerSecond }),
  };
  printResult(options.json, result, () =>
    [
      `${network} on ${backend}${provider === 'cpu' ? '' : `, ${provider}`}, ${threads} threads: ${own.toFixed(0)} images/s`,
      ...(peer
        ? [
            `PyTorch ${peer.version}: ${peer.imagesPerSecond.toFixed(0)} images/s, ratio ${(own / peer.imagesPerSecond).toFixed(2)}`,
          ]
        : []),
    ].join('\n'),
  );
}

async function ownSeconds(recipe: Recipe, steps: number): Promise<number> {
  await selectBackend(recipe.backend);
  const predicted = { shapes: 0, blendshapes: 0, frontal: 0 };
  const learner = createLearner(recipe, EXPRESSION_LABELS, predicted);
  const random = new Random(1);
  const set = listedGroups(
    EXPRESSION_LABELS,
    Array.from({ length: GROUPS }, (_, g) => ({
      personId: `p${g % 4}`,
      label: g % EXPRESSION_LABELS.length,
      views: Array.from({ length: VIEWS }, () => ({
        yawDeg: 0, pitchDeg: 0, rollDeg: 0, quality: 1, landmarks: new Float32Array(0),
        crop: Uint8Array.from({ length: SIZE * SIZE }, () => random.integer(256)),
      })), // prettier-ignore
    })),
  );
  const drawn = Array.from({ length: GROUPS }, (_, group) => ({ group, views: [0, 1, 2, 3] }));
  const shared = { learner, recipe, frame: undefined, labels: EXPRESSION_LABELS, predicted };
  const draw = (step: number) => readDrawn(set, drawn, stepRandom(recipe.seed, step));
  const differentiator = await startDifferentiator({ ...shared, draw });
  const seconds: number[] = [];
  try {
    for (let step = 0; step < steps + WARM_UP; step++) {
      const started = performance.now();
      await differentiator.differentiate(learner.initial, step);
      seconds.push((performance.now() - started) / 1000);
    }
  } finally {
    await differentiator.close();
  }
  return seconds.slice(WARM_UP).sort((a, b) => a - b)[Math.floor(steps / 2)]!;
}

async function torchRate(
  script: string,
  { network, threads, steps }: Options,
): Promise<{ version: string; imagesPerSecond: number } | undefined> {
  const groups = Array.from({ length: GROUPS * VIEWS }, (_, row) => Math.floor(row / VIEWS));
  const task = { network: NETWORKS[network as NetworkName], rows: groups.length, groups, threads, steps };
  const child = spawn('/usr/bin/python3', [script], { stdio: ['pipe', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (piece: Buffer) => (stdout += piece.toString()));
  child.stderr.on('data', (piece: Buffer) => (stderr += piece.toString()));
  child.stdin.on('error', () => undefined).end(JSON.stringify(task));
  const [code] = (await once(child, 'close').catch(() => [127])) as [number];
  if (code !== 0) {
    notice(`PyTorch was not measured: ${stderr.trim().split('\n').at(-1) ?? 'python3 does not run'}`);
    return undefined;
  }
  const { torch, secondsPerStep } = JSON.parse(stdout) as { torch: string; secondsPerStep: number };
  return { version: torch, imagesPerSecond: groups.length / secondsPerStep };
} // prettier-ignore
