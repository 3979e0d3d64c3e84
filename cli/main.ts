import { Command, CommanderError } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import * as benchAll from './bench-all.js';
import * as benchCompare from './bench-compare.js';
import * as benchEncoder from './bench-encoder.js';
import * as benchFaces from './bench-faces.js';
import * as benchLatency from './bench-latency.js';
import * as benchPose from './bench-pose.js';
import * as benchSync from './bench-sync.js';
import * as benchThroughput from './bench-throughput.js';
import * as benchTrain from './bench-train.js';
import * as benchViews from './bench-views.js';
import * as cameras from './cameras.js';
import * as doctor from './doctor.js';
import * as evaluate from './evaluate.js';
import * as exporting from './export.js';
import * as faces from './faces.js';
import { reportFailure } from './output.js';
import * as quantise from './quantise.js';
import * as record from './record.js';
import * as replay from './replay.js';
import * as score from './score.js';
import * as start from './start.js';
import * as synth from './synth.js';
import * as train from './train.js';

/** Names an option that does not exist before one that is missing: it may be that one, misspelt. */
class StrictCommand extends Command {
  override createCommand(name?: string): Command {
    return new StrictCommand(name);
  }

  override parseOptions(args: string[]): ReturnType<Command['parseOptions']> {
    const parsed = super.parseOptions(args);
    const [unknown] = parsed.unknown;
    const lacks = this.options.some(
      (option) => option.mandatory && this.getOptionValue(option.attributeName()) === undefined,
    );
    if (
      lacks &&
      unknown !== undefined &&
      !['-h', '--help'].some((flag) => parsed.unknown.includes(flag))
    )
      this.error(`error: unknown option '${unknown}'`, { code: 'commander.unknownOption' });
    return parsed;
  }
}

const program = new StrictCommand('clmex')
  .description('Multi-camera facial expressions: one robust score per person.')
  .version(manifest.version)
  .exitOverride()
  .showHelpAfterError('(add --help for what is allowed)');

const commands = [
  start, score, faces, cameras, record, replay, synth, train, evaluate, exporting, quantise, doctor,
]; // prettier-ignore
for (const command of commands) command.register(program);

const bench = program.command('bench').description('Measure this machine.');
const benchmarks = [
  benchLatency, benchThroughput, benchEncoder, benchFaces, benchPose, benchSync, benchTrain, benchViews, benchAll, benchCompare,
]; // prettier-ignore
for (const benchmark of benchmarks) benchmark.register(bench);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else process.exitCode = reportFailure(error);
}
