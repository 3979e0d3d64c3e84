// node scripts/label-pictures.mjs FACE_LANDMARKER.TASK PICTURE…: a manifest for `clmex evaluate` of the
// faces whose blendshapes leave no doubt. Pictures without labels then say how real people fare.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const [task, ...pictures] = process.argv.slice(2);
if (task === undefined || pictures.length === 0) {
  console.error(
    'usage: node scripts/label-pictures.mjs FACE_LANDMARKER.TASK PICTURE… > MANIFEST.csv',
  );
  process.exit(2);
}

/** Mean of a movement's two sides, or its one coefficient. */
function movement(blendshapes, name) {
  const values = Object.entries(blendshapes).filter(([key]) => key.startsWith(name));
  return values.reduce((sum, [, value]) => sum + value / values.length, 0);
}

function labelOf(blendshapes) {
  const of = (name) => movement(blendshapes, name);
  if (of('mouthSmile') > 0.45) return 'happiness';
  if (of('browOuterUp') > 0.3 && of('jawOpen') > 0.12) return 'surprise';
  const still = {
    mouthSmile: 0.05,
    jawOpen: 0.03,
    mouthFrown: 0.05,
    mouthPucker: 0.3,
    browOuterUp: 0.15,
  };
  return Object.entries(still).every(([name, most]) => of(name) < most) ? 'neutral' : undefined;
}

const given = [
  fileURLToPath(new URL('../dist/cli.js', import.meta.url)),
  'faces',
  '--landmarks',
  task,
  '--max-faces',
  '1',
  '--json',
  ...pictures,
];
const { stdout, status } = spawnSync(process.execPath, given, {
  encoding: 'utf8',
  maxBuffer: 2 ** 30,
  stdio: ['ignore', 'pipe', 'inherit'],
});
if (stdout === '') process.exit(status ?? 1);
const entries = JSON.parse(stdout);
let labelled = 0;
console.log('path,label');
for (const { image, faces = [] } of entries) {
  const label = faces[0] && labelOf(faces[0].blendshapes);
  if (label === undefined) continue;
  labelled++;
  console.log(`"${resolve(image).replaceAll('"', '""')}",${label}`);
}
console.error(`${labelled} of ${entries.length} pictures labelled`);
process.exitCode = status ?? 1;
