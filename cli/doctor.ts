import { execFile, type ExecFileException } from 'node:child_process';
import type { Command } from 'commander';
import {
  DEFAULT_MODEL,
  parseConfig,
  proveCamera,
  proveInference,
  readConfig,
  type Config,
} from '../runtime/index.js';
import { loadModel } from '../encoder/index.js';
import { printResult } from './output.js';

interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** Without it nothing works; the others are needed for some sources only. */
  readonly required: boolean;
  readonly detail: string;
}

const OLDEST_NODE = [20, 19] as const;

/** `clmex doctor`: what this machine has, proven by running it. */
export function register(program: Command): void {
  program
    .command('doctor')
    .description('Check this machine, and a configuration, by running what they need.')
    .option('--config <file>', 'check this configuration too')
    .option('--json', 'print one JSON document', false)
    .action(async ({ config, json }: { config?: string; json: boolean }) => {
      const probe = parseConfig({
        cameras: [{ id: 'probe', source: { kind: 'video', path: '-' } }],
      });
      const checks = [
        node(),
        await tool('ffmpeg', ['-version'], 'video files, USB and network cameras'),
        await tool('gst-launch-1.0', ['--version'], 'gstreamer sources'),
        await tool('fswebcam', ['--version'], 'node-webcam sources'),
        await attempt('model', async () => {
          const { manifest } = await loadModel(DEFAULT_MODEL);
          return `${manifest.name}, ${manifest.network.parameters} parameters`;
        }),
        await attempt('engine', () => proveInference(probe)),
        await attempt('engine auto', () =>
          proveInference({
            ...probe,
            engine: { ...probe.engine, kind: 'auto', precision: 'auto' },
          }),
        ),
        ...(config === undefined ? [] : await configured(config)),
      ];
      const ok = checks.every((check) => check.ok || !check.required);
      printResult(json, { ok, checks }, () => checks.map(line).join('\n'));
      process.exitCode = ok ? 0 : 1;
    });
}

/** The configuration itself, then every camera in it, one after the other. */
async function configured(path: string): Promise<Check[]> {
  let config: Config | undefined;
  const read = await attempt('config', async () => {
    config = await readConfig(path);
    return `${config.cameras.length} camera${config.cameras.length === 1 ? '' : 's'}`;
  });
  if (config === undefined) return [read];
  const { cameras } = config;
  const checks = [read, await attempt('engine of config', () => proveInference(config!))];
  for (const [index, camera] of cameras.entries()) {
    const name = `camera ${camera.id}`;
    checks.push(await attempt(name, async () => `${camera.source.kind}: ${await proveCamera(camera, index)}`)); // prettier-ignore
  }
  return checks;
}

function line({ name, ok, required, detail }: Check): string {
  return `${ok ? '✓' : required ? '✗' : '–'} ${name.padEnd(16)} ${detail}`;
}

function node(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  return {
    name: 'node',
    ok,
    required: true,
    detail: `${process.versions.node} (needs ${OLDEST_NODE.join('.')})`,
  };
}

async function tool(name: string, args: readonly string[], purpose: string): Promise<Check> {
  const { error, stdout, stderr } = await new Promise<Answer>((resolve) => {
    execFile(name, [...args], { timeout: 10_000 }, (error, stdout, stderr) =>
      resolve({ error, stdout, stderr }),
    );
  });
  const [version = ''] = `${stdout}${stderr}`.split('\n');
  // fswebcam ends with a failure after every answer: only what cannot be started is missing.
  if (typeof error?.code !== 'string' && version !== '')
    return { name, ok: true, required: false, detail: version.slice(0, 80) };
  return { name, ok: false, required: false, detail: `not found; needed for ${purpose}` };
}

interface Answer {
  readonly error: ExecFileException | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function attempt(name: string, run: () => Promise<string>): Promise<Check> {
  try {
    return { name, ok: true, required: true, detail: await run() };
  } catch (error) {
    return {
      name,
      ok: false,
      required: true,
      detail: error instanceof Error ? error.message : String(error),
    };
  }
}
