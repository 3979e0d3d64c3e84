// npm run model -- DATA OUT: everything from rendered people to a model package, each step resumable.
// DATA holds ict-facekit, london, makehuman-hair and mediapipe/face_landmarker.task; OUT gets rendered/,
// runs/ and model/.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const [data, out] = process.argv.slice(2);
if (data === undefined || out === undefined) {
  console.error('usage: npm run model -- DATA OUT');
  process.exit(2);
}
const rendered = join(out, 'rendered');
const pre = join(out, 'runs', 'pretrain');
const fine = join(out, 'runs', 'finetune');
const model = join(out, 'model');
const recipe = (name) => ['--recipe', `training/recipes/${name}.json`];
const teacher = ['--blendshapes', join(data, 'mediapipe', 'face_landmarker.task')];
const pictures = [
  '--pictures',
  'training/recipes/london-train.csv',
  '--root',
  join(data, 'london'),
];
const lifted = ['--lift', '6', '--meshes', data, '--turn=-50:-8,-28:20,-10:-20,10:25,28:-15,50:12'];

const steps = [
  ['synth', 'dataset', '--data', data, '--out', rendered, '--captures', '9600', '--subjects', '960', '--seed', '7', '--resume'],
  ['train', 'pretrain', '--data', rendered, '--out', pre, ...teacher, ...recipe('pretrain')],
  ['train', 'finetune', '--data', rendered, '--out', fine, '--from', pre, ...pictures, ...lifted, ...teacher, ...recipe('finetune')],
  ['export', '--run', fine, '--data', rendered, '--out', model],
  ['quantise', '--model', model, '--data', rendered],
]; // prettier-ignore
for (const given of steps) {
  const out = given[given.indexOf('--out') + 1];
  const resumes = given[0] === 'train' && existsSync(join(out, 'checkpoint.bin'));
  const step = resumes ? [...given, '--resume'] : given;
  console.error(`clmex ${step.join(' ')}`);
  const { status } = spawnSync(process.execPath, ['dist/cli.js', ...step], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
