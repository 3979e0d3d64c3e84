// After rollup: the configuration's JSON Schema, from the same zod schema that validates it.
import { writeFileSync } from 'node:fs';
import { configJsonSchema } from '../dist/runtime.js';

writeFileSync('dist/config.schema.json', `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
writeFileSync('dist/.built', '');
