import { Command, CommanderError } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { reportFailure } from './output.js';
import * as start from './start.js';
import * as score from './score.js';
import * as doctor from './doctor.js';
import * as faces from './faces.js';
import * as synth from './synth.js';

const program = new Command('clmex')
  .description('Multi-camera facial expressions: one robust score per person.')
  .version(manifest.version)
  .exitOverride()
  .showHelpAfterError('(add --help for what is allowed)');

for (const command of [start, score, faces, synth, doctor]) {
  // prettier-ignore
  command.register(program);
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else process.exitCode = reportFailure(error);
}
