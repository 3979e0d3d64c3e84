// After rollup: JSON Schemas of the configuration and of recipes, from the zod schemas that validate them.
import { writeFileSync } from 'node:fs';
import { configJsonSchema } from '../dist/runtime.js';
import { recipeJsonSchema } from '../dist/training.js';

for (const [name, schema] of [
  ['config', configJsonSchema()],
  ['recipe', recipeJsonSchema()],
])
  writeFileSync(`dist/${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`);
writeFileSync('dist/.built', '');
