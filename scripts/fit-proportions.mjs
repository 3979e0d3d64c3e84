// node scripts/fit-proportions.mjs RENDERED LONDON: the weights in encoder/proportions.ts. RENDERED is a set, or a
// folder of several, of clmex synth dataset; LONDON holds the pictures of training/recipes/london-train.csv.
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { fitProportions, openRendered } from '../dist/training.js';

const [renderedFolder, london] = process.argv.slice(2);
if (renderedFolder === undefined || london === undefined) {
  console.error('usage: node scripts/fit-proportions.mjs RENDERED LONDON');
  process.exit(2);
}
const WIDTHS = [0.85, 0.92, 1, 1.08, 1.15];
const PATH = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** The landmarks of pictures by their paths; those without a face are left out. */
function facesOf(paths) {
  const given = [PATH('../dist/cli.js'), 'faces', '--max-faces', '1', '--json', ...paths];
  const { stdout, status } = spawnSync(process.execPath, given, { encoding: 'utf8', maxBuffer: 2 ** 30, stdio: ['ignore', 'pipe', 'inherit'] }); // prettier-ignore
  if (stdout === '') process.exit(status ?? 1);
  return JSON.parse(stdout).flatMap(({ image, faces = [] }) => faces.slice(0, 1).map(({ landmarks }) => ({ image, landmarks: Float32Array.from(landmarks.flat()) }))); // prettier-ignore
}

const set = await openRendered(renderedFolder);
const rendered = Array.from({ length: set.groups }, (_, i) => set.read(i)).flatMap(({ personId, label, views }) =>
  views.map(({ landmarks }) => ({ personId, label, landmarks })),
); // prettier-ignore

const manifest = await readFile(PATH('../training/recipes/london-train.csv'), 'utf8');
const pictures = manifest.trim().split('\n').slice(1).map((line) => line.split(',')); // prettier-ignore
const folder = await mkdtemp(join(tmpdir(), 'clmex-proportions-'));
const stretched = [];
try {
  for (const width of WIDTHS) {
    console.error(`${pictures.length} pictures at ${width} of their width`);
    const people = new Map();
    for (const [path, label, personId] of pictures) {
      const file = join(folder, `${label}-${basename(path)}.png`);
      const picture = sharp(join(london, path));
      const size = await picture.metadata();
      await picture.resize(Math.round(size.width * width), size.height, { fit: 'fill' }).png().toFile(file); // prettier-ignore
      people.set(file, { personId, label });
    }
    for (const { image, landmarks } of facesOf([...people.keys()]))
      stretched.push({ ...people.get(image), landmarks, tall: 1 / width });
  }
} finally {
  await rm(folder, { recursive: true });
}

console.error(`${rendered.length} rendered views, ${stretched.length} real ones`);
const { weights, mean } = fitProportions(rendered, stretched);
const numbers = weights.map((weight) => Number(weight.toFixed(3)));
for (let i = 0; i + 3 <= numbers.length; i += 3)
  console.log(JSON.stringify(numbers.slice(i, i + 3)));
console.log(mean.toFixed(4));
