import type { Command } from 'commander';
import { registerDataset } from './synth-dataset.js';
import { registerRecording } from './synth-recording.js';

/** `clmex synth`: recordings and training sets from rendered people. */
export function register(program: Command): void {
  const synth = program
    .command('synth')
    .description('Render people: recordings with known truth, training sets.');
  registerRecording(synth);
  registerDataset(synth);
}
