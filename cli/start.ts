import type { Command } from 'commander';
import { readConfig, Runtime } from '../runtime/index.js';
import { cameraLines } from './camera-lines.js';
import { integer, printResult, progress } from './output.js';

interface Options {
  readonly config: string;
  readonly port?: number;
  readonly json: boolean;
}

/** `clmex start`: cameras to scores to clients until Ctrl-C or the end of every file. */
export function register(program: Command): void {
  program
    .command('start')
    .description(
      'Run the cameras of a configuration and stream scores; SIGHUP reads the model again.',
    )
    .requiredOption('--config <file>', 'configuration (JSON)')
    .option(
      '--port <n>',
      'listen on this port instead of the configured one',
      integer('--port', 0, 65_535),
    )
    .option('--json', 'print one JSON document when ready', false)
    .action(start);
}

async function start({ config: path, port, json }: Options): Promise<void> {
  const read = await readConfig(path);
  const config = port === undefined ? read : { ...read, stream: { ...read.stream, port } };
  progress('starting …');
  const runtime = await Runtime.start(config);
  const stop = (): void => {
    progress('stopping …');
    void runtime.close();
    // A second Ctrl-C does not wait.
    process.once('SIGINT', () => process.exit(130));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const reload = (): void => {
    runtime.swapModel().then(
      () => progress('the model was read again and serves'),
      (error: unknown) => progress(`the model stays as it was: ${(error as Error).message}`),
    );
  };
  process.on('SIGHUP', reload);
  const cameras = config.cameras.map(({ id }) => id);
  printResult(
    json,
    { url: runtime.url, cameras },
    () => `dashboard and scores: ${runtime.url}   (Ctrl-C ends)`,
  );
  runtime.on('subject', ({ subjectId, state }) => progress(`${subjectId} ${state}`));
  const say = cameraLines();
  runtime.on('status', ({ cameras }) => cameras.forEach(say));
  try {
    await runtime.finished;
  } finally {
    await runtime.close();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    process.off('SIGHUP', reload);
  }
}
