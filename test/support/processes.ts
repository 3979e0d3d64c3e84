import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';

/** Process ids of this process's children, by name. */
export async function childrenOf(parent = process.pid): Promise<{ pid: number; name: string }[]> {
  const found: { pid: number; name: string }[] = [];
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
    const match = /^\d+ \((.*)\) (\S) (\d+)/s.exec(stat);
    if (match !== null && Number(match[3]) === parent && match[2] !== 'Z') {
      found.push({ pid, name: match[1]! });
    }
  }
  return found;
}

/** A child that is killed when the test is over. */
export class Helper {
  readonly child: ChildProcess;

  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  }

  /** The first line the child prints. */
  async line(): Promise<string> {
    let text = '';
    for await (const piece of this.child.stdout!) {
      text += String(piece);
      if (text.includes('\n')) break;
    }
    return text.split('\n')[0]!;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }
}
