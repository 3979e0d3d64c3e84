import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { notice, printResult, progress } from '../../cli/output.js';

const { isTTY } = process.stderr;
let shown: string;

beforeEach(() => {
  shown = '';
  const show = (text: string | Uint8Array): boolean => ((shown += String(text)), true);
  vi.spyOn(process.stderr, 'write').mockImplementation(show);
  vi.spyOn(process.stdout, 'write').mockImplementation(show);
});
afterEach(() => {
  vi.restoreAllMocks();
  process.stderr.isTTY = isTTY;
});

function command(): void {
  progress('1 of 3');
  progress('2 of 3');
  notice('one was left out');
  progress('3 of 3');
  printResult(false, {}, () => 'done');
  printResult(false, {}, () => 'and done');
}

describe('what a command prints', () => {
  it('rewrites progress in place on a terminal, and nothing else', () => {
    process.stderr.isTTY = true;
    command();
    const onScreen = shown.split('\n').map((line) => line.split('\r\u001b[2K').at(-1));
    expect(onScreen).toEqual(['2 of 3', 'one was left out', '3 of 3', 'done', 'and done', '']);
  });

  it('keeps every line elsewhere', () => {
    process.stderr.isTTY = false;
    command();
    expect(shown).toBe('1 of 3\n2 of 3\none was left out\n3 of 3\ndone\nand done\n');
  });
});
