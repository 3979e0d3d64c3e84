import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';

const CLI = resolve('dist/cli.js');

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built command line in a process of its own. */
export class Cli {
  readonly process: ChildProcess;
  readonly finished: Promise<Finished>;
  #stdout = '';
  #stderr = '';

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.process = spawn(process.execPath, [CLI, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.process.stdout!.on('data', (piece: Buffer) => (this.#stdout += piece.toString()));
    this.process.stderr!.on('data', (piece: Buffer) => (this.#stderr += piece.toString()));
    this.finished = new Promise((settle) => {
      this.process.on('close', (code) =>
        settle({ code, stdout: this.#stdout, stderr: this.#stderr }),
      );
    });
  }

  /** The first JSON document on stdout; rejects where the process ends without one. */
  async json(): Promise<unknown> {
    for (;;) {
      try {
        return JSON.parse(this.#stdout) as unknown;
      } catch {
        const piece = new Promise((settle) => this.process.stdout!.once('data', settle));
        if (await Promise.race([piece.then(() => false), this.finished.then(() => true)])) {
          throw new Error(`ended without JSON: ${this.#stdout}${this.#stderr}`);
        }
      }
    }
  }

  /** Ends it as Ctrl-C would. */
  interrupt(): Promise<Finished> {
    this.process.kill('SIGINT');
    return this.finished;
  }
}

export const runCli = (...args: string[]): Promise<Finished> => new Cli(args).finished;

/** Processes below `pid`, as /proc tells. */
export function descendantsOf(pid: number): { pid: number; command: string }[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const [, command, rest] = /\((.*)\) (.*)/s.exec(stat)!;
        return [{ pid: Number(name), command: command!, parent: Number(rest!.split(' ')[1]) }];
      } catch {
        return []; // Ended while we looked.
      }
    });
  const children = all.filter(({ parent }) => parent === pid);
  return children.flatMap((child) => [child, ...descendantsOf(child.pid)]);
}
