// npm run claims -- RENDERED OUT [--steps N] [--blendshapes TASK] [--provider webgpu] [SEED …]
// Does contrastive pre-training earn its keep?
// Fine-tuning with cross-entropy alone, once from scratch and once from an encoder that was pre-trained
// on the same people without any label; 10 % of the labels and all; every run resumable.
// Prints mean and deviation over the seeds (default 1 2 3) of the test people's single views. Fine-tuning
// takes 240 steps unless --steps says otherwise: its length decides what pre-training is worth. With
// --blendshapes pre-training also learns what the .task file's model reads from the landmarks: from those
// of the same view, and in every view what it reads in the moment's most frontal one. The gain is then
// both's together, as training from scratch has no teacher. --provider is that of clmex train.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const USAGE =
  'usage: npm run claims -- RENDERED OUT [--steps N] [--blendshapes TASK] [--provider webgpu] [SEED …]';
const { values, positionals } = readArguments();
const [data, out, ...given] = positionals;
if (data === undefined || out === undefined) fail('RENDERED and OUT are needed');
const teacher = values.blendshapes && resolve(values.blendshapes);
if (teacher && !existsSync(teacher))
  fail(`--blendshapes is ${JSON.stringify(teacher)}; there is no such file`);
const STEPS = wholeNumber('--steps', values.steps, 1);
const seeds = given.length > 0 ? given.map((seed) => wholeNumber('SEED', seed, 0)) : [1, 2, 3];

const PRETRAIN = { stage: 'pretrain', steps: 800, batch: { people: 5, captures: 4, views: 4 }, learningRate: 0.003, warmupSteps: 50, shapes: 0, frontal: teacher ? 10 : 0, validateEvery: 400, saveEvery: 100 }; // prettier-ignore
const FINETUNE = { stage: 'finetune', steps: STEPS, batch: { people: 10, captures: 2, views: 3 }, learningRate: 0.002, warmupSteps: Math.min(30, Math.floor(STEPS / 4)), average: 0.98, contrastive: { weight: 0 }, shapes: 0, validateEvery: STEPS, saveEvery: 60 }; // prettier-ignore
const SHARES = [0.1, 1];
const STARTS = ['scratch', 'pretrained'];

mkdirSync(out, { recursive: true });
requireSameSource();

/** What OUT holds was learned in one way; runs of two would go into one mean unnoticed. */
function requireSameSource() {
  const file = join(out, 'source.json');
  const given = JSON.stringify({ rendered: resolve(data), teacher });
  const learned = readdirSync(out).filter((name) => !name.endsWith('.json'));
  if (learned.length === 0) writeFileSync(file, given);
  const known = existsSync(file) ? readFileSync(file, 'utf8') : 'something else';
  if (known !== given) fail(`OUT holds what was learned from ${known}; given is ${given}`);
}

function wholeNumber(name, text, least) {
  const value = Number(text);
  if (text.trim() !== '' && Number.isInteger(value) && value >= least) return value;
  return fail(`${name} is ${JSON.stringify(text)}; allowed: a whole number from ${least} up`);
}

function fail(message) {
  console.error(`${message}\n${USAGE}`);
  process.exit(2);
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        steps: { type: 'string', default: '240' },
        blendshapes: { type: 'string' },
        provider: { type: 'string', default: 'cpu' },
      },
      allowPositionals: true,
    });
  } catch (error) {
    return fail(error.message);
  }
}

function clmex(...args) {
  const { status, stdout } = spawnSync(process.execPath, ['dist/cli.js', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (status !== 0) process.exit(status ?? 1);
  return stdout;
}

/** Trains unless its mark says that it was done, going on where it was stopped. */
function train(name, recipe, ...more) {
  const run = join(out, name);
  const [mark, file] = [join(run, 'done'), join(out, `${name}.recipe.json`)];
  if (existsSync(mark)) return run;
  writeFileSync(file, JSON.stringify(recipe));
  const resume = existsSync(join(run, 'checkpoint.bin')) ? ['--resume'] : [];
  clmex(
    'train',
    recipe.stage,
    '--data',
    data,
    '--out',
    run,
    '--recipe',
    file,
    '--provider',
    values.provider,
    ...more,
    ...resume,
  );
  writeFileSync(mark, '');
  return run;
}

function tableOf(name, run) {
  const file = join(out, `${name}.json`);
  if (!existsSync(file)) {
    writeFileSync(`${file}.tmp`, clmex('export', '--run', run, '--data', data, '--out', join(run, 'model'), '--json')); // prettier-ignore
    renameSync(`${file}.tmp`, file);
  }
  return JSON.parse(readFileSync(file, 'utf8')).table;
}

const results = seeds.map((seed) => {
  const pretrained = train(
    `pretrain-${seed}`,
    { ...PRETRAIN, seed },
    ...(teacher ? ['--blendshapes', teacher] : []),
  );
  return SHARES.map((labelShare) =>
    STARTS.map((start) => {
      const name = `${start}-${labelShare}-${STEPS}-${seed}`;
      const from = start === 'pretrained' ? ['--from', pretrained] : [];
      const run = train(name, { ...FINETUNE, seed, labelShare }, ...from);
      const { balancedAccuracy, perYaw } = tableOf(name, run);
      const steep = ['60-75', '75-90'].map((bin) => perYaw[bin]);
      const n = steep.reduce((sum, bin) => sum + bin.n, 0);
      const beyond60 = steep.reduce((sum, bin) => sum + (bin.n / n) * bin.balancedAccuracy, 0);
      return { all: balancedAccuracy, beyond60 };
    }),
  );
});

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values) =>
  Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)) * (values.length / (values.length - 1))); // prettier-ignore
const stated = (values) => ({
  mean: mean(values),
  ...(values.length > 1 && { deviation: deviation(values) }),
});
const rows = SHARES.map((labelShare, s) => ({
  labelShare,
  ...Object.fromEntries(
    ['all', 'beyond60'].map((what) => {
      const of = (start) => results.map((seed) => seed[s][start][what]);
      const gain = results.map((seed) => seed[s][1][what] - seed[s][0][what]);
      return [what, { scratch: stated(of(0)), pretrained: stated(of(1)), gain: stated(gain) }];
    }),
  ),
}));
console.log(JSON.stringify({ seeds: results.length, teacher: teacher ?? null, rows }, null, 2));
